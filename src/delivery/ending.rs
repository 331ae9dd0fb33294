//! The end of the bouncer: what waits is tried once more, and what is left is told.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Delivery, outcome::Final};
use crate::metrics::GivenUpReason;

/// How often it is looked at whether anything is left.
const LOOK: Duration = Duration::from_millis(20);

/// What is under way has so long to be counted once it is cut.
const CUT_WITHIN: Duration = Duration::from_millis(250);

impl Delivery {
    /// Tries all that waits until nothing does, at the latest until `until`; then gives up what is left, cuts what
    /// is under way, and tells how much that is. [`Delivery::keep_trying`] must go on meanwhile.
    pub async fn finish(&self, until: Instant) -> usize {
        let shared = &self.shared;
        shared.is_ending.store(true, Ordering::Relaxed);
        let everything = async {
            let mut woken = 0;
            loop {
                // What fails again waits a short while only; what a push service asked for is kept.
                if woken == 0 {
                    shared.store.wake(shared.clock.running(), Duration::ZERO, |_| true);
                }
                woken = (woken + 1) % 50;
                if shared.store.is_empty() && shared.tasks.is_empty() {
                    return;
                }
                sleep(LOOK).await;
            }
        };
        let is_done = timeout_at(until, everything).await.is_ok();
        let mut given_up = 0;
        let mut by_server = BTreeMap::new();
        for parcel in shared.store.clear() {
            *by_server.entry(parcel.job.server.uuid).or_insert(0_usize) += 1;
            given_up += 1;
            let app = shared.providers.app_of(&parcel.push.target);
            shared.decided(&parcel, app, Final::given_up(&parcel, GivenUpReason::Shutdown));
        }
        for (server, pushes) in by_server {
            tracing::warn!(event = "push.given_up_at_the_end", %server, pushes, "the bouncer ends before they could be sent");
        }
        if !is_done {
            // Every push that was taken and is neither decided nor given up: it may arrive, and may not.
            let under_way = shared.undecided.load(Ordering::Relaxed);
            tracing::warn!(
                event = "push.given_up",
                given_up,
                under_way,
                "work was cut at the end of the grace period"
            );
        }
        shared.cut.cancel();
        let all_counted = async {
            while shared.undecided.load(Ordering::Relaxed) > 0 {
                sleep(LOOK).await;
            }
        };
        // What is not counted by then is stuck, and ends with the program.
        let _ = timeout(CUT_WITHIN, all_counted).await;
        given_up
    }
}
