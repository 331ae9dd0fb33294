//! The number of streams that a push service allows.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    beside, notify_all,
    peer::{Line, NO_ERROR, Peer, REFUSED_STREAM},
    until_accepted,
};
use crate::world::{ChatServer, IAGO, Phone, World, until};

/// How long the peer takes for a push.
const TAKES: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn case_12_stream_limit_is_obeyed_at_every_moment() {
    // 500, 1 and 500 again.
    let (world, server, peer) =
        beside("apns.sandbox.connections = 1", 500, |line, stream, number| {
            match number {
                40 => line.limit(1),
                60 => line.limit(500),
                _ => {}
            }
            line.answer_after(stream, if number == 1 { TAKES * 10 } else { TAKES });
        })
        .await;
    let first = tokio::spawn(async move {
        notify_all(&server, 0..150).await;
        server
    });
    until("the first one is answered", async || {
        let seen = peer.lines().first().map(|line| line.seen())?;
        assert!(seen.answered > 0 || seen.heads.len() <= 1, "it is alone");
        (seen.answered > 0).then_some(())
    })
    .await;
    let server = first.await.unwrap();
    until_accepted(&world, 150).await;
    let lines = peer.lines();
    assert_eq!((lines.len(), peer.arrived()), (1, 150), "no push was sent twice");
    let seen = lines[0].seen();
    assert_eq!(seen.violations, 0);
    assert!(seen.most_open > 10, "with room for many it got {}", seen.most_open);

    lines[0].limit(0);
    let waiting = tokio::spawn(async move { notify_all(&server, 150..152).await });
    sleep(TAKES * 10).await;
    assert_eq!(peer.arrived(), 150, "none is allowed");
    lines[0].limit(1);
    waiting.await.unwrap();
    until_accepted(&world, 152).await;
    assert_eq!(lines[0].seen().violations, 0);
    let in_flight =
        world.metric("push_bouncer_provider_streams_in_flight", &["provider=\"apns\""]).await;
    assert_eq!(in_flight, 0.0);
    let waited = ["provider=\"apns\"", "le=\"+Inf\""];
    let waited = world.metric("push_bouncer_push_queue_duration_seconds_bucket", &waited).await;
    assert_eq!(waited, 152.0);
    world.shutdown().await;
}

/// More phones than failures in a row open a breaker.
const PHONES: usize = 25;

/// A user with as many phones, and the only connection that pushes to them may take, which lets nobody in.
async fn with_a_shut_connection() -> (World, ChatServer, Peer, Arc<Line>) {
    let settings = "apns.sandbox.connections = 1\napns.sandbox.attempt_timeout = \"2s\"\n\
                    push.answer_within = \"100ms\"\noutbound.ping_timeout = \"1m\"";
    let (world, server, peer) = beside(settings, 100, |line, stream, _| line.answer(stream)).await;
    notify_all(&server, [0]).await;
    until_accepted(&world, 1).await;
    for number in 1..PHONES {
        server.register_phone(IAGO, &Phone::apple(&format!("iphone {number}"))).await;
    }
    let line = Arc::clone(&peer.lines()[0]);
    line.limit(0);
    until("it is known", async || {
        let most = world.metric("push_bouncer_provider_streams_max", &["provider=\"apns\""]).await;
        (most == 0.0).then_some(())
    })
    .await;
    (world, server, peer, line)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_in_time_is_tried_again_and_opens_no_breaker() {
    let (world, server, peer, line) = with_a_shut_connection().await;
    notify_all(&server, [1]).await;
    let is_available = until("all waited in vain", async || {
        let cause = ["provider=\"apns\"", "cause=\"crowded\""];
        let retries = world.metric("push_bouncer_push_retries_total", &cause).await;
        let available = world.metric("push_bouncer_provider_available", &["apns"]).await;
        (retries >= PHONES as f64 || available != 1.0).then_some(available == 1.0)
    })
    .await;
    assert!(is_available, "nothing is known of the push service");
    assert_eq!(peer.arrived(), 1);
    line.limit(100);
    until_accepted(&world, PHONES + 1).await;
    assert_eq!(peer.arrived(), PHONES + 1, "each was sent once");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_one_connection_has_gone_and_the_next_is_not_open_yet_opens_no_breaker() {
    let (world, server, peer, line) = with_a_shut_connection().await;
    notify_all(&server, [1]).await;
    let door = peer.close_the_door().await;
    line.goaway(1, NO_ERROR, "");
    let causes = until("all waited in vain", async || {
        let retries = world.metric("push_bouncer_push_retries_total", &["provider=\"apns\""]).await;
        let cause = ["provider=\"apns\"", "cause=\"crowded\""];
        let crowded = world.metric("push_bouncer_push_retries_total", &cause).await;
        (retries >= PHONES as f64).then_some((retries, crowded))
    })
    .await;
    assert_eq!(causes.0, causes.1, "nothing is known of the push service");
    drop(door);
    until_accepted(&world, PHONES + 1).await;
    assert_eq!(peer.arrived(), PHONES + 1, "each was sent once");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_its_place_late_has_all_of_its_time_for_the_answer() {
    const PHONES: usize = 24;
    let settings = "apns.sandbox.connections = 1\napns.sandbox.attempt_timeout = \"2s\"\n\
                    push.answer_within = \"100ms\"";
    let (world, server, peer) = beside(settings, 2, |line, stream, _| {
        // Some of those who wait get their place less than this before the two seconds are over.
        line.answer_after(stream, TAKES * 30);
    })
    .await;
    notify_all(&server, [0]).await;
    until_accepted(&world, 1).await;
    for number in 1..PHONES {
        server.register_phone(IAGO, &Phone::apple(&format!("iphone {number}"))).await;
    }

    notify_all(&server, [1]).await;
    until_accepted(&world, PHONES + 1).await;
    let retries = async |cause| {
        let labels = ["provider=\"apns\"", cause];
        world.metric("push_bouncer_push_retries_total", &labels).await
    };
    assert!(retries("cause=\"crowded\"").await > 0.0, "there was a queue");
    assert_eq!(retries("cause=\"timeout\"").await, 0.0);
    assert_eq!(peer.arrived(), PHONES + 1, "each was sent once");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_stays_shut_is_replaced_when_somebody_waits() {
    let settings = "apns.sandbox.connections = 1\napns.sandbox.attempt_timeout = \"30s\"\n\
                    push.answer_within = \"100ms\"\noutbound.ping_timeout = \"1s\"";
    let (world, server, peer) = beside(settings, 100, |line, stream, _| {
        if line.number == 1 {
            line.answer(stream);
        }
    })
    .await;
    notify_all(&server, [0]).await;
    until_accepted(&world, 1).await;
    let first = Arc::clone(&peer.lines()[0]);
    first.limit(0);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(peer.lines().len(), 1, "nobody waits");

    notify_all(&server, [1]).await;
    until("it goes over another one", async || (peer.arrived() == 2).then_some(())).await;
    assert!(!first.is_closed(), "the first one stays until the other has answered");
    let second = Arc::clone(&peer.lines()[1]);
    second.answer(second.seen().open[0]);
    until_accepted(&world, 2).await;
    until("the first one is closed", async || first.is_closed().then_some(())).await;
    assert_eq!((first.seen().violations, peer.lines().len()), (0, 2));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_lets_nobody_in_is_not_stormed() {
    let settings = "apns.sandbox.attempt_timeout = \"1s\"\noutbound.ping_timeout = \"1s\"\n\
                    push.answer_within = \"100ms\"\nlimits.server.rate = \"1000000/min\"";
    // What was sent before it was known is refused.
    let (world, server, peer) =
        beside(settings, 0, |line, stream, _| line.reset(stream, REFUSED_STREAM)).await;
    // One push to a phone waits at a time.
    for number in 1..20 {
        server.register_phone(IAGO, &Phone::apple(&format!("iphone {number}"))).await;
    }
    let (began, mut number) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(4) {
        notify_all(&server, [number]).await;
        sleep(TAKES).await;
        number += 1;
    }
    let opened = peer.lines().len();
    assert!((2..=10).contains(&opened), "{opened} connections in four seconds");
    assert!(peer.arrived() <= opened, "{} requests on {opened} connections", peer.arrived());
    world.until_metric("push_bouncer_provider_available", &["apns"], 1.0).await;
    world.shutdown().await;
}
