//! A fault of the bouncer itself in the middle of an attempt: it costs that attempt, and nothing else.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use push_bouncer::sandbox::faults::{Act, Script};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use super::{accepted, until_outcomes, with_phones};
use crate::world::{IAGO, Phone, message, to, until};

/// Panics where a refused push is logged, so many times: in the middle of its attempt.
struct Panics(Arc<AtomicUsize>);

struct IsRefusal(bool);

impl Visit for IsRefusal {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 |= field.name() == "event" && value == "push.failed";
    }
}

impl<S: Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut is_refusal = IsRefusal(false);
        event.record(&mut is_refusal);
        let left = |left: usize| left.checked_sub(1);
        if is_refusal.0 && self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok() {
            panic!("as it was told");
        }
    }
}

// On one thread: the log is that of the thread.
#[tokio::test]
async fn a_push_whose_attempt_panics_is_tried_again_and_keeps_no_other_waiting() {
    // In the first attempt, and in the second. One bouncer logs one refusal a second, so each has its own.
    for failures_before in 0..2 {
        panics_in_an_attempt_after(failures_before).await;
    }
}

async fn panics_in_an_attempt_after(failures: usize) {
    let panics = Arc::new(AtomicUsize::new(0));
    let subscriber = tracing_subscriber::registry().with(Panics(Arc::clone(&panics)));
    let _guard = tracing::subscriber::set_default(subscriber);
    // While there is only one subscriber, a line that another thread comes to first is off for all of them.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    let (world, server) = with_phones("", &[iphone.clone(), android.clone()]).await;
    let asked = AtomicUsize::new(0);
    let script: Script = Arc::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        number if number < failures => Act::Refuse("ServiceUnavailable".to_owned()),
        number if number < failures + 2 => Act::Refuse("BadPriority".to_owned()),
        _ => Act::Answer,
    });
    world.surroundings.apns.faults().set_script(Some(script));
    // Its push is still under way when the other one panics.
    world.surroundings.fcm.set_latency(Duration::from_millis(300));

    panics.store(1, Ordering::Relaxed);
    server.notify(&to(IAGO, message())).await;
    // Behind it, for the same phone.
    server.notify(&to(IAGO, message())).await;
    until("all have come to their end", async || {
        world.clock.advance(Duration::from_secs(2));
        (world.metric("push_bouncer_pushes_total", &[]).await == 4.0).then_some(())
    })
    .await;

    assert_eq!(panics.load(Ordering::Relaxed), 0);
    assert_eq!((accepted(&world, &iphone), accepted(&world, &android)), (1, 2));
    until_outcomes(&world, "payload_rejected", 1.0).await;
    let faults = world.metric("push_bouncer_push_retries_total", &["cause=\"fault\""]).await;
    assert_eq!(faults, 1.0);
    assert_eq!(world.metric("push_bouncer_push_retry_entries", &[]).await, 0.0);
    world.shutdown().await;
}
