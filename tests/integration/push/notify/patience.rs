//! Slow push services, and callers who do not wait: the answer is early, and nothing is lost.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, time::Instant};

use crate::world::{ChatServer, IAGO, Phone, World, message, to, until};

/// Far above what an answer takes that does not wait for a push service, and below what one takes that
/// does.
const EARLY: Duration = Duration::from_millis(1700);

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_phone_does_not_delay_the_answer_and_gets_its_push() {
    let world = World::start("push.answer_within = \"300ms\"").await;
    // Two seconds is what the fakes make of this word.
    let server = with_phones(&world, &[Phone::apple("slow"), Phone::android("android")]).await;

    let began = Instant::now();
    let answer = server.notify(&to(IAGO, message())).await;
    let took = began.elapsed();

    assert!((Duration::from_millis(300)..EARLY).contains(&took), "answered after {took:?}");
    assert_eq!(answer["total_apple_devices"], 1);
    assert_eq!(accepted(&world, "fcm").await, 1.0);
    assert_eq!(accepted(&world, "apns").await, 0.0, "it is still under way");
    until("the slow phone accepts", async || (accepted(&world, "apns").await > 0.0).then_some(()))
        .await;
    assert_eq!(world.arrived(), (1, 1), "once");
    assert_eq!(server.phones_of(IAGO).await, (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_answers_delays_neither_the_answer_nor_the_other_service() {
    let settings = "push.answer_within = \"300ms\"\napns.sandbox.attempt_timeout = \"2s\"\n\
                    push.retry_for = \"0\"";
    let world = World::start(settings).await;
    let server = with_phones(&world, &[Phone::apple("iphone"), Phone::android("android")]).await;
    world.surroundings.apns.set_latency(Duration::from_secs(60));

    let began = Instant::now();
    server.notify(&to(IAGO, message())).await;
    let took = began.elapsed();

    assert!(took < EARLY, "answered after {took:?}");
    assert_eq!(accepted(&world, "fcm").await, 1.0);
    let timeout = ["provider=\"apns\"", "outcome=\"timeout\""];
    until("the attempt is given up", async || {
        (world.metric("push_bouncer_pushes_total", &timeout).await > 0.0).then_some(())
    })
    .await;
    assert_eq!(server.phones_of(IAGO).await, (1, 1), "silence removes nobody");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_dies_after_the_answer_is_removed_and_told_next_time() {
    let world = World::start("push.answer_within = \"100ms\"").await;
    let phone = Phone::android("dead");
    let server = with_phones(&world, std::slice::from_ref(&phone)).await;
    world.surroundings.fcm.set_latency(Duration::from_millis(600));
    let mut body = to(IAGO, message());
    body["android_devices"] = serde_json::json!([phone.token]);

    let first = server.notify(&body).await;
    assert_eq!(first["deleted_devices"]["android_devices"], serde_json::json!([]));

    until("the dead phone is removed", async || {
        (server.phones_of(IAGO).await == (0, 0)).then_some(())
    })
    .await;
    let second = server.notify(&body).await;
    assert_eq!(second["deleted_devices"]["android_devices"], serde_json::json!([phone.token]));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_loses_no_push() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let server = with_phones(&world, &[Phone::apple("iphone"), Phone::android("android")]).await;
    world.surroundings.apns.set_latency(Duration::from_millis(700));
    world.surroundings.fcm.set_latency(Duration::from_millis(700));

    let mut connection = world.connect(&[]).await;
    connection.write_all(&notify_request(&server)).await.unwrap();
    connection.flush().await.unwrap();
    until("a push arrives", async || (world.arrived() != (0, 0)).then_some(())).await;
    // TLS's goodbye and TCP's: nobody is there any more.
    connection.shutdown().await.unwrap();
    drop(connection);

    for provider in ["apns", "fcm"] {
        until("the push is accepted", async || {
            (accepted(&world, provider).await > 0.0).then_some(())
        })
        .await;
    }
    assert_eq!(world.arrived(), (1, 1));
    world.shutdown().await;
}

/// A chat server at which Iago has these phones.
async fn with_phones(world: &World, phones: &[Phone]) -> ChatServer {
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in phones {
        server.register_phone(IAGO, phone).await;
    }
    server
}

/// How many pushes a service has accepted, as far as the bouncer knows.
async fn accepted(world: &World, provider: &str) -> f64 {
    let provider = format!("provider=\"{provider}\"");
    world.metric("push_bouncer_pushes_total", &[&provider, "outcome=\"accepted\""]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_at_once_loses_no_push() {
    let world = World::start("").await;
    let server = with_phones(&world, &[Phone::android("android")]).await;
    for round in 1..=20 {
        let mut connection = world.connect(&[]).await;
        connection.write_all(&notify_request(&server)).await.unwrap();
        connection.shutdown().await.unwrap();
        drop(connection);
        until("the push arrives", async || (world.arrived() == (0, round)).then_some(())).await;
    }
    world.shutdown().await;
}

/// A notification to Iago, byte by byte.
fn notify_request(server: &ChatServer) -> Vec<u8> {
    let body = to(IAGO, message()).to_string();
    let head = format!(
        "POST /api/v1/remotes/push/notify HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.authorization(),
        body.len()
    );
    (head + &body).into_bytes()
}
