//! `POST server/register`: who is registered, and under which host name.

use entities::{audit_log, remote_servers};
use http::Request;
use sea_orm::EntityTrait as _;
use uuid::Uuid;

use crate::world::{Answer, ChatServer, IAGO, Phone, Registered, World};

mod email;
mod rotation;

const TAKEN: &str = "HOSTNAME_ALREADY_IN_USE_BOUNCER_ERROR";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_created_once_and_then_updated() {
    let world = World::start("").await;
    let server = world.new_chat_server("chat.selfhosted.test");
    assert_eq!(server.register().await, Registered::Created);
    assert_eq!(server.register().await, Registered::Updated);

    let fields = [("hostname", "moved.selfhosted.test"), ("contact_email", "new@selfhosted.test")];
    assert_eq!(server.register_with(&fields).await, Registered::Updated);

    let database = world.database().await;
    let stored = remote_servers::Entity::find().all(&database).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].uuid, Uuid::parse_str(&server.org_id).unwrap());
    assert_eq!(stored[0].hostname, "moved.selfhosted.test");
    assert_eq!(stored[0].contact_email, "new@selfhosted.test");
    let events = audit_log::Entity::find().all(&database).await.unwrap();
    let events: Vec<_> = events.into_iter().map(|row| (row.server_id, row.event_type)).collect();
    assert_eq!(events, [(stored[0].id, 10215)], "only the creation is noted");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_stored_as_a_hash_only() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let stored = remote_servers::Entity::find().one(&world.database().await).await.unwrap();
    let hash = stored.unwrap().key_hash.0;
    assert_eq!(hash.len(), 32);
    let expected = ring::digest::digest(&ring::digest::SHA256, server.org_key.as_bytes());
    assert_eq!(hash, expected.as_ref());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_in_use_is_refused_to_a_new_server_and_to_a_known_one() {
    let world = World::start("").await;
    world.chat_server("chat.selfhosted.test").await;
    let refused = Registered::Refused(400, TAKEN.to_owned());

    let newcomer = world.new_chat_server("Chat.SelfHosted.test");
    assert_eq!(newcomer.register().await, refused, "in any case");
    for hostname in
        ["chat.selfhosted.test.", "chat.selfhosted.test:443", "chat.selfhosted.test.:443"]
    {
        let newcomer = world.new_chat_server(hostname);
        assert_eq!(newcomer.register().await, refused, "{hostname} is the same host");
    }
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let fields = [("hostname", "chat.selfhosted.test")];
    assert_eq!(neighbour.register_with(&fields).await, refused);

    let other_port = world.new_chat_server("chat.selfhosted.test:8443");
    assert_eq!(other_port.register().await, Registered::Created);
    let stored = remote_servers::Entity::find().all(&world.database().await).await.unwrap();
    assert_eq!(stored.len(), 3, "who was refused is not stored");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_name_of_a_deactivated_server_is_free() {
    let world = World::start("").await;
    let old = world.chat_server("chat.selfhosted.test").await;
    world.deactivate(&old).await;
    let newcomer = world.new_chat_server("chat.selfhosted.test");
    assert_eq!(newcomer.register().await, Registered::Created);
    assert_eq!(old.register().await, Registered::Refused(401, "REALM_DEACTIVATED".to_owned()));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_for_a_known_id_is_refused_and_changes_nothing() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    let wrong = "x".repeat(64);
    let fields = [("zulip_org_key", wrong.as_str()), ("hostname", "stolen.selfhosted.test")];
    let expected = Registered::Refused(400, "INVALID_ZULIP_SERVER".to_owned());
    assert_eq!(server.register_with(&fields).await, expected);
    assert_eq!(server.phones_of(IAGO).await, (1, 0), "its own key still opens");
    let stored = remote_servers::Entity::find().one(&world.database().await).await.unwrap();
    assert_eq!(stored.unwrap().hostname, "chat.selfhosted.test");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_registers_by_its_query() {
    let world = World::start("").await;
    let server = world.new_chat_server("chat.selfhosted.test");
    let answer = by_query(&world, &server).await;
    assert_eq!((answer.status, &answer.json()["created"]), (200, &true.into()));
    server.register_phone(IAGO, &Phone::android("android")).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_one_host_name_at_once_one_gets_it() {
    let world = World::start("").await;
    let rivals: Vec<_> = (0..8).map(|_| world.new_chat_server("chat.selfhosted.test")).collect();
    let registered = futures_util::future::join_all(rivals.iter().map(ChatServer::register)).await;
    let created = registered.iter().filter(|one| **one == Registered::Created).count();
    assert_eq!(created, 1, "{registered:?}");
    world.shutdown().await;
}

/// Registers as servers up to 2.x do.
async fn by_query(world: &World, server: &ChatServer) -> Answer {
    let uri = format!(
        "/api/v1/remotes/server/register?zulip_org_id={}&zulip_org_key={}&hostname={}\
         &contact_email=admin%40selfhosted.test",
        server.org_id, server.org_key, server.hostname
    );
    let request = Request::post(uri).body(bytes::Bytes::new()).unwrap();
    world.client().send(request).await.unwrap()
}
