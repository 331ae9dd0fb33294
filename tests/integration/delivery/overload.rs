//! More comes in than goes out: it is said at once, before anything is done for it.

use std::time::Duration;

use entities::push_counts;
use futures_util::future::join_all;
use sea_orm::EntityTrait as _;
use serde_json::json;

use super::{accepted, with_phones};
use crate::world::{ChatServer, IAGO, Phone, User, World, message, to, until};

/// Pushes for Android phones that the server asked for, as they are written down in the end.
async fn received(world: &World) -> i64 {
    let rows = push_counts::Entity::find().all(&world.database().await).await.unwrap();
    rows.iter().map(|row| row.received).sum()
}

async fn refused(world: &World) -> f64 {
    world.metric("push_bouncer_requests_rejected_total", &["overloaded"]).await
}

async fn until_so_many_are_accepted(world: &World, pushes: f64) {
    until("the pushes are accepted", async || {
        let accepted = world.metric("push_bouncer_pushes_total", &["accepted"]).await;
        (accepted == pushes).then_some(())
    })
    .await;
}

/// A notify is refused in words that a chat server understands.
async fn assert_refused(server: &ChatServer, user: User) {
    let reply = server.json("push/notify", &to(user, message())).await;
    assert_eq!(reply.status, 503, "{}", reply.json);
    assert_eq!(
        (&reply.json["result"], &reply.json["code"]),
        (&"error".into(), &"OVERLOADED".into())
    );
    assert!(reply.json["msg"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_at_once_are_refused_before_devices_are_read() {
    let android = Phone::android("android");
    let settings = "http.max_in_flight = 1\npush.answer_within = \"10s\"";
    let (world, server) = with_phones(settings, std::slice::from_ref(&android)).await;
    // An access token and a connection are there already when answers take long.
    server.notify(&to(IAGO, message())).await;
    world.surroundings.fcm.set_latency(Duration::from_secs(3600));
    let first = to(IAGO, message());
    let refusing = async {
        until("the first is under way", async || (world.arrived() == (0, 2)).then_some(())).await;
        for _ in 0..3 {
            assert_refused(&server, IAGO).await;
        }
        world.surroundings.fcm.set_latency(Duration::ZERO);
    };
    tokio::join!(server.notify(&first), refusing);
    assert_eq!(refused(&world).await, 3.0);
    server.notify(&to(IAGO, message())).await;
    assert_eq!(accepted(&world, &android), 3, "it serves again");
    // What is read of devices is counted as asked for.
    until("three are written down", async || (received(&world).await == 3).then_some(())).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_when_all_places_and_the_store_are_full() {
    /// Until the test ends it.
    const LATENCY: Duration = Duration::from_secs(3600);
    const CROWD: User = User::number(1);
    // Room for a thousand that wait, of which each server may have a quarter.
    let settings = "push.retry_devices = 1000\npush.answer_within = \"50ms\"\n\
                    fcm.sandbox.attempt_timeout = \"1m\"\n\
                    apns.sandbox.attempt_timeout = \"1m\"\nlimits.server.rate = \"1000000/min\"";
    let world = World::start(settings).await;
    let mut servers = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let server = world.chat_server(&format!("{name}.test")).await;
        for number in 0..50 {
            server.register_phone(IAGO, &Phone::android(&format!("{name} {number}"))).await;
        }
        servers.push(server);
    }
    for number in 0..32 {
        servers[0].register_phone(CROWD, &Phone::android(&format!("crowd {number}"))).await;
        servers[0].register_phone(CROWD, &Phone::apple(&format!("crowd {number}"))).await;
    }
    servers[0].notify(&to(CROWD, message())).await;
    // The answer comes after 50 ms, whatever has become of its pushes.
    until_so_many_are_accepted(&world, 64.0).await;
    world.surroundings.fcm.set_streams(10_000);
    world.surroundings.fcm.set_latency(LATENCY);
    world.surroundings.apns.set_streams(10_000);
    world.surroundings.apns.set_latency(LATENCY);

    // As many first attempts as may be under way.
    let notifies: Vec<_> = (0..1536 / 64).map(|_| to(CROWD, message())).collect();
    join_all(notifies.iter().map(|body| servers[0].notify(body))).await;
    // An answer may come before its pushes have begun.
    until("all places are taken", async || {
        let under_way = world.metric("push_bouncer_provider_streams_in_flight", &[]).await;
        (under_way == 1536.0).then_some(())
    })
    .await;
    for server in &servers {
        for _ in 0..5 {
            server.notify(&to(IAGO, message())).await;
        }
    }
    until("a thousand wait", async || {
        let waiting = world.metric("push_bouncer_push_retry_entries", &[]).await;
        (waiting == 1000.0).then_some(())
    })
    .await;
    for server in &servers {
        assert_refused(server, IAGO).await;
    }
    let mut test = to(IAGO, json!({"base_payload": {}}));
    test["token"] = "one 0".into();
    test["token_kind"] = Phone::android("one 0").token_kind().into();
    let reply = servers[0].json("push/test_notification", &test).await;
    assert_eq!(reply.status, 503, "{}", reply.json);
    assert_eq!(refused(&world).await, 5.0);
    assert_eq!(world.metric("push_bouncer_pushes_given_up_total", &[]).await, 0.0);

    // All that was taken is delivered.
    world.surroundings.fcm.set_latency(Duration::ZERO);
    world.surroundings.apns.set_latency(Duration::ZERO);
    until_so_many_are_accepted(&world, 64.0 + 1536.0 + 1000.0).await;
    servers[0].notify(&to(IAGO, message())).await;
    assert_eq!(refused(&world).await, 5.0, "it takes notifies again");
    world.shutdown().await;
}
