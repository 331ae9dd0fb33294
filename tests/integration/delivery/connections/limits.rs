//! The number of streams that a push service allows.

use std::time::Duration;

use super::{beside, notify_all, until_accepted};
use crate::world::until;

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
    tokio::time::sleep(TAKES * 10).await;
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
