//! The end of the bouncer: what waits is tried once more, and what is left is told.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, interval, timeout, timeout_at};

use super::{Delivery, Shared, outcome::Final};
use crate::metrics::GivenUpReason;

/// What fails at the end waits a short while only: it is tried again so often; what a push service asked for is kept.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What is under way has so long to be counted once it is cut.
const CUT_WITHIN: Duration = Duration::from_millis(250);

impl Delivery {
    /// Tries all that waits until nothing does, at the latest until `until`; then gives up what is left, cuts what
    /// is under way, and tells how much that is. [`Delivery::keep_trying`] and [`Delivery::keep_telling`] must go on
    /// meanwhile.
    pub async fn finish(&self, until: Instant) -> usize {
        let shared = &self.shared;
        shared.is_ending.store(true, Ordering::Relaxed);
        let mut rounds = interval(TRY_AGAIN);
        let trying = async {
            loop {
                rounds.tick().await;
                shared.store.wake(shared.clock.running(), Duration::ZERO, |_| true);
            }
        };
        let everything = async {
            tokio::select! {
                () = shared.all_decided() => {}
                () = trying => {}
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
            let under_way = shared.undecided.load(Ordering::Acquire);
            tracing::warn!(
                event = "push.given_up",
                given_up,
                under_way,
                "work was cut at the end of the grace period"
            );
        }
        shared.cut.cancel();
        // What is not counted by then is stuck, and ends with the program.
        let _ = timeout(CUT_WITHIN, shared.all_decided()).await;
        // While they know that this one lives, other nodes leave to it what they were not told of.
        shared.duplicates.all_told().await;
        given_up
    }
}

impl Shared {
    /// Waits until every push that came in is decided and counted.
    async fn all_decided(&self) {
        loop {
            // Made before it is looked, so that the last one is not missed.
            let decided = self.all_are_decided.notified();
            if self.undecided.load(Ordering::Acquire) == 0 {
                return;
            }
            decided.await;
        }
    }
}
