//! The second and all further attempts.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use super::{
    Delivery, Shared,
    attempt::{Leave, Step},
    job::Fate,
    outcome::Final,
    parcel::Parcel,
    store::Due,
};
use crate::{
    domain::device::Provider,
    metrics::{GivenUpReason, ProviderLabels, PushOutcome},
    providers::AppKey,
};

/// The clock may be moved, which wakes nobody: while something waits, it is looked at so often.
const LOOK: Duration = Duration::from_millis(250);

/// So many are looked at without a pause.
const PARCELS_OF_TURN: u32 = 64;

/// How often gauges are brought up to date at most.
const SHOW: Duration = Duration::from_secs(1);

/// What waited for a push service to be well again is sent at this rate, so that it stays well...
const PUSHES_PER_SECOND: u32 = 500;

/// ... and within this time: <https://firebase.google.com/docs/cloud-messaging/scale-fcm> asks for a ramp of a
/// minute.
const LONGEST_RAMP: Duration = Duration::from_secs(60);

impl Delivery {
    /// Tries what waits, when its time comes; for ever.
    pub async fn keep_trying(&self) {
        // A fault of ours, which was logged where it happened, is not the end of it.
        while AssertUnwindSafe(self.try_what_is_due()).catch_unwind().await.is_err() {
            sleep(LOOK).await;
        }
    }

    /// Tells other nodes what became of pushes, for ever.
    pub async fn keep_telling(&self) {
        let duplicates = &self.shared.duplicates;
        // As above.
        while AssertUnwindSafe(duplicates.keep_telling()).catch_unwind().await.is_err() {
            sleep(LOOK).await;
        }
    }

    async fn try_what_is_due(&self) {
        let shared = &self.shared;
        let places = &shared.further_places;
        let has_room = |app| places.has_room(app);
        let mut shown = Instant::now();
        shared.show();
        loop {
            if shown.elapsed() >= SHOW {
                shared.show();
                shown = Instant::now();
            }
            let changed = shared.store.changed.notified();
            match shared.store.next_due(has_room) {
                None => {
                    shared.show();
                    changed.await;
                }
                Some(due) => {
                    let wait = due.saturating_sub(shared.clock.running()).min(LOOK);
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = changed, if !wait.is_zero() => {}
                    }
                }
            }
            let mut taken = 0_u32;
            while let Some(parcel) = shared.store.take_due(shared.clock.running(), has_room) {
                taken += 1;
                if taken.is_multiple_of(PARCELS_OF_TURN) {
                    // Others need the thread too, and gauges are not to stand still.
                    yield_now().await;
                    if shown.elapsed() >= SHOW {
                        shared.show();
                        shown = Instant::now();
                    }
                }
                let Some((parcel, leave)) = shared.may_be_tried(parcel) else { continue };
                let place = places.take(parcel.app.unwrap_or(leave.app));
                let shared = Arc::clone(shared);
                tokio::spawn(async move {
                    shared.try_again(parcel, leave).await;
                    drop(place);
                    shared.store.changed.notify_one();
                });
            }
        }
    }
}

impl Shared {
    /// Puts a parcel back whose app is held back; gives one up whose time is over.
    fn may_be_tried(&self, parcel: Box<Parcel>) -> Option<(Box<Parcel>, Leave)> {
        let now = self.clock.running();
        let app = self.providers.app_of(&parcel.push.target);
        let end = match app {
            None => Some(Final::of(Fate::NotAccepted, PushOutcome::NotConfigured)),
            Some(_) if now >= parcel.ends() => {
                Some(Final::given_up(&parcel, GivenUpReason::Expired))
            }
            Some(_) => None,
        };
        if let Some(end) = end {
            self.store.decided(&parcel, now);
            self.decided(&parcel, app, end);
            return None;
        }
        match self.leave(&parcel, now) {
            Ok(leave) => Some((parcel, leave)),
            Err(at) => {
                let at = (at + self.jitter()).min(parcel.ends());
                self.drop_all(self.store.again(parcel, Due { at, not_before: Duration::ZERO }));
                None
            }
        }
    }

    async fn try_again(&self, mut parcel: Box<Parcel>, leave: Leave) {
        let before = parcel.attempts;
        let step = AssertUnwindSafe(self.next_step(&mut parcel, leave)).catch_unwind().await;
        let (app, step) = step.unwrap_or_else(|_| self.after_panic(&mut parcel, before));
        match step {
            Step::Decided(end) => {
                self.store.decided(&parcel, self.clock.running());
                self.decided(&parcel, app, end);
            }
            Step::Again(due) => self.drop_all(self.store.again(parcel, due)),
        }
    }

    async fn next_step(&self, parcel: &mut Parcel, leave: Leave) -> (Option<AppKey>, Step) {
        // Logged out, or dead, while it waited. Where that cannot be read, it is sent.
        if let Some(Ok(false)) = self.unless_cut(self.registry.is_live(parcel.push.row)).await {
            if let Some(ticket) = leave.ticket {
                self.breakers.told_nothing(leave.app, ticket);
            }
            let end = Final::of(Fate::NotAccepted, PushOutcome::Superseded);
            return (Some(leave.app), Step::Decided(end));
        }
        self.attempt(parcel, leave).await
    }

    /// Has everything tried soon that waits for this app, but not all at once.
    pub(super) fn wake(&self, app: AppKey) {
        let waiting: usize = self.store.measure().by_provider.iter().sum();
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let spread = (Duration::from_secs(1) * waiting / PUSHES_PER_SECOND).min(LONGEST_RAMP);
        self.store.wake(self.clock.running(), spread, |parcel| {
            self.providers.apps_of(&parcel.push.target).any(|other| other == app)
        });
    }

    /// Shows how full the store is.
    fn show(&self) {
        let measure = self.store.measure();
        for (provider, waiting) in
            [Provider::Apns, Provider::Fcm].into_iter().zip(measure.by_provider)
        {
            let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
            self.metrics
                .push_retry_entries
                .get_or_create(&ProviderLabels { provider })
                .set(waiting);
        }
        self.metrics.push_retry_bytes.set(i64::try_from(measure.bytes).unwrap_or(i64::MAX));
        let age = measure.oldest.map(|came| self.clock.running().saturating_sub(came));
        self.metrics.push_retry_oldest.set(age.unwrap_or_default().as_secs_f64());
    }
}
