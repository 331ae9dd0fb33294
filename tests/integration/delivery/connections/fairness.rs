//! A server that floods does not delay its neighbours.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::{beside, numbered};
use crate::world::{ChatServer, IAGO, Phone};

/// How long the peer takes for a push: far longer than a busy machine needs for a request.
const TAKES: Duration = Duration::from_millis(150);

/// Pushes at once that the peer allows.
const STREAMS: u32 = 8;

/// The phones of the flooding server's user: few requests make many pushes, so that the pool is what is
/// measured, and not the time that requests cost.
const PHONES: usize = 40;

/// Notifications of the flooding server that are under way at any moment: many times what the peer takes.
const FLOOD: usize = 6;

const MEASURED: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_floods_does_not_delay_another() {
    let settings = "apns.sandbox.connections = 1\nlimits.server.rate = \"1000000/min\"\n\
                    apns.sandbox.attempt_timeout = \"30s\"\npush.answer_within = \"10s\"";
    let (world, flooding, peer) = beside(settings, STREAMS, |line, stream, _| {
        // Not all at the same moment.
        line.answer_after(stream, TAKES + Duration::from_millis(u64::from(stream) % 64));
    })
    .await;
    let quiet = world.chat_server("quiet.selfhosted.test").await;
    quiet.register_phone(IAGO, &Phone::apple("quiet")).await;
    for number in 1..PHONES {
        flooding.register_phone(IAGO, &Phone::apple(&format!("iphone {number}"))).await;
    }
    let alone = worst_of(&quiet, 0).await;

    let flood = tokio::spawn(async move {
        let sending =
            stream::iter(1_000_000..).map(async |number| flooding.notify(&numbered(number)).await);
        sending.buffer_unordered(FLOOD).for_each(async |_| {}).await;
    });
    while peer.lines()[0].seen().open.len() < STREAMS as usize {
        tokio::time::sleep(TAKES / 4).await;
    }
    let before = peer.answered();
    let began = Instant::now();
    let beside_flood = worst_of(&quiet, MEASURED).await;
    let rate =
        (peer.answered() - before) * 1000 / usize::try_from(began.elapsed().as_millis()).unwrap();
    flood.abort();

    assert!(beside_flood <= alone * 2, "{beside_flood:?} beside a flood, {alone:?} alone");
    assert!(rate > 30, "the flood has what is left: {rate} a second");
    assert_eq!(peer.lines()[0].seen().violations, 0);
    world.shutdown().await;
}

/// The longest that a notification took, but for one in a hundred.
async fn worst_of(server: &ChatServer, first: usize) -> Duration {
    let mut took = Vec::new();
    for number in first..first + MEASURED {
        let began = Instant::now();
        server.notify(&numbered(number)).await;
        took.push(began.elapsed());
    }
    took.sort();
    took[took.len() * 99 / 100 - 1]
}
