//! What one node changes counts on the others within a second.

use serde_json::json;

use super::NEEDS_SERVER;
use crate::world::{Cable, ChatServer, Node, Stage, World, until, until_it_counts};

const REALM: &str = "0f3c9a1e-7d2b-4c58-9a4b-1f0f7b8c2d11";

/// A world with a second server, whose cable to the database can be cut.
async fn two_nodes() -> (World, Node, Cable) {
    let stage = Stage::set("").await;
    let cable = Cable::to_database_of(&stage).await.expect(NEEDS_SERVER);
    let config = stage.surroundings.config().to_owned();
    let at_the_cable = cable.config(&stage, "");
    let world = stage.serve(&config).await;
    let node = world.another_node(&at_the_cable).await;
    listens(&node).await;
    (world, node, cable)
}

async fn listens(node: &Node) {
    until("the other node listens", async || {
        (node.metric("push_bouncer_db_listening") == 1.0).then_some(())
    })
    .await;
}

/// What a simple request is answered.
async fn status(world: &World, node: &Node, server: &ChatServer) -> u16 {
    let mut client = world.client_of(node.address());
    client.status_as(&server.org_id, &server.org_key).await.status
}

/// A server's standing is changed in every way there is, and each counts on the other node.
async fn changes_count(world: &World, node: &Node) {
    let server = world.chat_server("chat.selfhosted.test").await;
    assert_eq!(status(world, node, &server).await, 200);
    let reply = server.json("server/deactivate", &json!({})).await;
    assert_eq!(reply.status, 200);
    until_it_counts(
        "a server that is deactivated on one node is refused by the other",
        async || (status(world, node, &server).await == 401).then_some(()),
    )
    .await;
    world.done(&["server", "reactivate", &server.org_id]).await;
    until_it_counts("what a command does counts", async || {
        (status(world, node, &server).await == 200).then_some(())
    })
    .await;
    world.done(&["server", "deactivate", &server.org_id, "--yes"]).await;
    until_it_counts("and again", async || {
        (status(world, node, &server).await == 401).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_changes_counts_on_the_other_within_a_second() {
    let (world, node, _cable) = two_nodes().await;
    changes_count(&world, &node).await;
    node.shutdown().await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_that_one_node_learns_of_is_known_to_the_other_within_a_second() {
    let (world, node, _cable) = two_nodes().await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let elsewhere = world.same_chat_server_at(&node, &server);
    let realm = async || {
        let body =
            json!({"user_id": 1, "realm_uuid": REALM, "apns_payload": {}, "gcm_payload": {}});
        elsewhere.notify(&body).await["realm"].clone()
    };
    assert!(realm().await.is_null(), "nobody registered it");
    server.upload_realm(REALM).await;
    until_it_counts("the realm is known", async || realm().await.is_object().then_some(())).await;
    node.shutdown().await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_too_when_the_connection_that_listens_is_lost() {
    for lose in [Cable::cut_listeners, Cable::silence_listeners] {
        let (world, node, cable) = two_nodes().await;
        let server = world.chat_server("chat.selfhosted.test").await;
        assert_eq!(status(&world, &node, &server).await, 200);
        lose(&cable);
        let reply = server.json("server/deactivate", &json!({})).await;
        assert_eq!(reply.status, 200);
        until_it_counts("nobody heard of it, and it counts", async || {
            (status(&world, &node, &server).await == 401).then_some(())
        })
        .await;
        assert_eq!(node.metric("push_bouncer_db_available"), 1.0, "the database is there");
        listens(&node).await;
        node.shutdown().await;
        world.shutdown().await;
    }
}
