//! The database goes away and comes back: who is known is served from memory, and nobody is told a lie.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::NEEDS_SERVER;
use crate::world::{Cable, ChatServer, IAGO, Phone, Stage, User, World, message, to, until};

/// Realms are remembered, also those that nobody registered.
const REALM: &str = "0f3c9a1e-7d2b-4c58-9a4b-1f0f7b8c2d11";

/// A world at the end of a cable, and a chat server whose user has two phones.
async fn at_a_cable(settings: &str) -> (World, Cable, ChatServer) {
    let stage = Stage::set("").await;
    let cable = Cable::to_database_of(&stage).await.expect(NEEDS_SERVER);
    let config = cable.config(&stage, settings);
    let world = stage.serve(&config).await;
    until("it watches the database", async || is(&world, "listening", 1.0).await).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in [Phone::apple("iphone"), Phone::android("android")] {
        server.register_phone(IAGO, &phone).await;
    }
    (world, cable, server)
}

async fn is(world: &World, metric: &str, value: f64) -> Option<()> {
    (world.metric(&format!("push_bouncer_db_{metric}"), &[]).await == value).then_some(())
}

/// A notification to a user; the status and the code of the answer.
async fn notify(server: &ChatServer, user: User) -> (u16, serde_json::Value) {
    let mut body = to(user, message());
    body["realm_uuid"] = REALM.into();
    let reply = server.json("push/notify", &body).await;
    if reply.status == 503 {
        assert_eq!(reply.json["result"], "error", "{}", reply.json);
    }
    (reply.status.as_u16(), reply.json["total_apple_devices"].clone())
}

async fn status(world: &World, id: &str, key: &str) -> u16 {
    world.client().status_as(id, key).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_is_served_and_nobody_is_called_unknown() {
    for lose in [Cable::cut, Cable::silence] {
        let (world, cable, server) = at_a_cable("").await;
        assert_eq!(notify(&server, IAGO).await, (200, json!(1)));
        let before = world.arrived();
        lose(&cable);
        // What was read is no longer fresh; whoever comes first finds out.
        world.clock.advance(Duration::from_secs(2));
        assert_eq!(notify(&server, IAGO).await, (200, json!(1)));
        until("the database is known to be gone", async || is(&world, "available", 0.0).await)
            .await;
        let began = Instant::now();
        for _ in 0..20 {
            assert_eq!(notify(&server, IAGO).await, (200, json!(1)));
        }
        assert!(began.elapsed() < Duration::from_secs(30), "none waits for a connection");
        until("all was delivered", async || {
            let (apns, fcm) = world.arrived();
            (apns == before.0 + 21 && fcm == before.1 + 21).then_some(())
        })
        .await;

        assert_eq!(notify(&server, User::other()).await.0, 503, "whose phones nobody knows");
        let (stranger, key) = ("1b6b8a3e-0000-4222-8333-444455556666", "x".repeat(64));
        assert_eq!(status(&world, stranger, &key).await, 503, "it may be registered");
        assert_eq!(status(&world, &server.org_id, &key).await, 503, "it may be the new key");
        let phone = Phone::android("new");
        let (registered, _) = server.about_phone("push/register", IAGO, &phone, &[]).await;
        assert_eq!(registered, 503, "it cannot be stored");
        assert_eq!(notify(&server, IAGO).await, (200, json!(1)), "what was known still is");
        world.clock.advance(Duration::from_secs(11));
        let (ready, told) = world.operator_get("/readyz").await;
        assert_eq!((ready, told.starts_with("ok, from memory")), (200, true));
        assert!(world.metric("push_bouncer_db_answers_from_memory_total", &[]).await > 60.0);

        world.clock.advance(Duration::from_secs(10 * 60 + 60));
        assert_eq!(world.operator_get("/readyz").await.0, 503);
        assert_eq!(notify(&server, IAGO).await.0, 503, "it may have been deactivated");

        cable.restore();
        until("all is as it was", async || {
            (notify(&server, IAGO).await == (200, json!(1))).then_some(())
        })
        .await;
        until("and who may be new is heard", async || {
            (server.about_phone("push/register", IAGO, &phone, &[]).await.0 == 200).then_some(())
        })
        .await;
        assert_eq!(notify(&server, User::other()).await, (200, json!(0)));
        assert_eq!(status(&world, stranger, &key).await, 401);
        assert_eq!(world.operator_get("/readyz").await, (200, "ok\n".to_owned()));
        assert_eq!(is(&world, "available", 1.0).await, Some(()));
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_on_which_nobody_answers_any_more_are_replaced() {
    let (world, cable, server) = at_a_cable("").await;
    // All few connections are in use when it falls silent: each of these asks the database.
    let users: Vec<i64> = (100..130).collect();
    let asking = users.iter().map(|user| notify(&server, User::number(*user)));
    join_all(asking).await;
    cable.silence();
    let asking = users.iter().map(|user| notify(&server, User::number(*user + 100)));
    for (status, _) in join_all(asking).await {
        assert_eq!(status, 503);
    }
    until("the database is known to be gone", async || is(&world, "available", 0.0).await).await;
    cable.replace();
    until("what is new answers", async || is(&world, "available", 1.0).await).await;
    let phone = Phone::android("new");
    until("and can be written to", async || {
        (server.about_phone("push/register", IAGO, &phone, &[]).await.0 == 200).then_some(())
    })
    .await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_from_memory_where_that_is_switched_off() {
    let settings = "database.serve_from_memory_for = \"0\"";
    let (world, cable, server) = at_a_cable(settings).await;
    assert_eq!(notify(&server, IAGO).await, (200, json!(1)));
    cable.cut();
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(notify(&server, IAGO).await.0, 503);
    assert_eq!(world.operator_get("/readyz").await.0, 503);
    world.shutdown().await;
}
