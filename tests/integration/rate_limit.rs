//! The limits: of a server, of an address, and of failures.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tokio::time::Instant;

use crate::world::{Answer, ChatServer, World};

const WRONG_KEY: &str = "wrong";

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_many_is_refused_and_another_server_is_not() {
    let world = World::start("limits.server.rate = \"5/min\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    for left in (0..5).rev() {
        let answer = status(&world, &server).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit"), "5");
        assert_eq!(answer.header("x-ratelimit-remaining"), left.to_string());
        assert_eq!(answer.header("ratelimit-policy"), "\"server\";q=5;w=60");
        assert!(answer.header("ratelimit").starts_with(&format!("\"server\";r={left};t=")));
        assert!(!answer.headers.contains_key("retry-after"));
    }

    let refused = status(&world, &server).await;

    assert_eq!(refused.status, 429);
    let whole: u64 = refused.header("retry-after").parse().expect("whole seconds");
    let body = refused.json();
    let exact = body["retry-after"].as_f64().unwrap();
    assert!((50.0..=60.0).contains(&exact), "{exact}");
    #[expect(clippy::cast_precision_loss, reason = "a minute is few seconds")]
    let rounded_up = whole as f64 - exact;
    assert!((0.0..1.0).contains(&rounded_up), "{whole} for {exact}");
    assert_eq!(body["code"], "RATE_LIMIT_HIT");
    assert_eq!(body["msg"], "API usage exceeded rate limit");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert!(refused.header("ratelimit").starts_with("\"server\";r=0;t="));
    let reset: i64 = refused.header("x-ratelimit-reset").parse().unwrap();
    assert!((0..=61).contains(&(reset - world.clock.now().unix_seconds())));

    assert_eq!(status(&world, &neighbour).await.status, 200);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(status(&world, &server).await.status, 200, "the minute is over");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_will_soon_be_allowed_waits_for_it() {
    let world = World::start("limits.server.rate = \"2/s\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(status(&world, &server).await.status, 200);
    }
    // The third is let through a second after the first; the clock counts milliseconds.
    assert!(began.elapsed() >= Duration::from_millis(998), "{:?}", began.elapsed());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_longer_than_the_setting() {
    let settings = "limits.server.rate = \"2/s\"\nlimits.server.max_delay = \"0\"";
    let world = World::start(settings).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let mut clients = [world.client(), world.client(), world.client()];
    let requests =
        clients.iter_mut().map(|client| client.status_as(&server.org_id, &server.org_key));
    let answers = futures_util::future::join_all(requests).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].header("retry-after"), "1");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_told_to_wait_and_a_right_key_is_let_in() {
    let world = World::start("limits.login.rate = \"3/min\"").await;
    let server = world.chat_server("newcomer.selfhosted.test").await;
    let guess = async |id: &str| world.client().status_as(id, WRONG_KEY).await;

    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(guess(&server.org_id).await.status);
    }
    let refused = guess(&server.org_id).await;

    assert_eq!(statuses, [401, 401, 401]);
    assert_eq!(refused.status, 429, "the fourth is one too many");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let body = refused.json();
    assert_eq!(body["code"], "RATE_LIMIT_HIT");
    let unknown = guess("a0000063-0000-4000-8000-000000000063").await;
    assert_eq!(unknown.status, 429, "whichever id is guessed at");
    assert_eq!(
        status(&world, &server).await.status,
        200,
        "from the same address, never seen before"
    );
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_limited_by_address() {
    let world = World::start("limits.ip.rate = \"2/min\"").await;
    let mut client = world.client();
    assert_eq!(client.send(register_from(None)).await.unwrap().status, 400);
    assert_eq!(client.send(register_from(None)).await.unwrap().status, 400);
    let refused = client.send(register_from(None)).await.unwrap();
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    let body = refused.json();
    assert_eq!((&body["result"], &body["code"]), (&json!("error"), &json!("RATE_LIMIT_HIT")));
    // Whoever is registered has another limit.
    assert_eq!(client.status_as("nobody", WRONG_KEY).await.status, 401);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_tells_its_callers_apart() {
    let settings = "limits.ip.rate = \"1/min\"\nhttp.trusted_proxies = [\"127.0.0.1/32\"]";
    let world = World::start(settings).await;
    let mut client = world.client();
    for (forwarded, expected) in [
        ("198.51.100.1", 400),
        ("198.51.100.1", 429),
        ("198.51.100.2", 400),
        // What stands before the last address anybody can write.
        ("198.51.100.3, 198.51.100.2", 429),
        ("2001:db8::1", 400),
        // Who has one address of a network of IPv6 has all of them.
        ("2001:db8::2", 429),
        ("2001:db8:0:1::2", 400),
    ] {
        let answer = client.send(register_from(Some(forwarded))).await.unwrap();
        assert_eq!(answer.status, expected, "{forwarded}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed_whom_he_speaks_for() {
    let world = World::start("limits.ip.rate = \"1/min\"").await;
    let mut client = world.client();
    assert_eq!(client.send(register_from(Some("198.51.100.1"))).await.unwrap().status, 400);
    assert_eq!(client.send(register_from(Some("198.51.100.2"))).await.unwrap().status, 429);
    world.shutdown().await;
}

async fn status(world: &World, server: &ChatServer) -> Answer {
    world.client().status_as(&server.org_id, &server.org_key).await
}

/// A registration that is refused for what it lacks, as long as it is looked at.
fn register_from(forwarded_for: Option<&str>) -> Request<Bytes> {
    let mut request = Request::post("/api/v1/remotes/server/register");
    if let Some(address) = forwarded_for {
        request = request.header("X-Forwarded-For", address);
    }
    request.body(Bytes::new()).unwrap()
}
