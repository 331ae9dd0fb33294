//! The second and all further attempts.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
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
    metrics::{ProviderLabels, PushOutcome},
    providers::AppKey,
};

/// Further attempts under way at once.
const MOST_ATTEMPTS: usize = 1024;

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
        let shared = &self.shared;
        let places = Arc::new(Semaphore::new(MOST_ATTEMPTS));
        let mut shown = Instant::now();
        shared.show();
        loop {
            if shown.elapsed() >= SHOW {
                shared.show();
                shown = Instant::now();
            }
            let changed = shared.store.changed.notified();
            match shared.store.next_due() {
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
            while let Some(parcel) = shared.store.take_due(shared.clock.running()) {
                taken += 1;
                if taken.is_multiple_of(PARCELS_OF_TURN) {
                    // Others need the thread too.
                    yield_now().await;
                }
                let Some((parcel, leave)) = shared.may_be_tried(parcel) else { continue };
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                let shared = Arc::clone(shared);
                self.shared
                    .tasks
                    .spawn(async move { shared.try_again(parcel, leave, place).await });
            }
        }
    }
}

impl Shared {
    /// Puts a parcel back whose app is held back; one at the end of its time gets its last attempt all the same.
    fn may_be_tried(&self, parcel: Box<Parcel>) -> Option<(Box<Parcel>, Leave)> {
        let now = self.clock.running();
        let Some(app) = self.providers.app_of(&parcel.push.target) else {
            self.store.decided(&parcel, now);
            let end = Final::of(Fate::NotAccepted, PushOutcome::NotConfigured);
            self.decided(&parcel, None, end);
            return None;
        };
        match self.leave(&parcel, now) {
            Ok(leave) => Some((parcel, leave)),
            Err(_) if now >= parcel.expires => Some((parcel, Leave { app, ticket: None })),
            Err(at) => {
                let at = (at + self.jitter()).min(parcel.expires);
                self.drop_all(self.store.again(parcel, Due { at, not_before: Duration::ZERO }));
                None
            }
        }
    }

    async fn try_again(&self, mut parcel: Box<Parcel>, leave: Leave, _place: OwnedSemaphorePermit) {
        // Logged out, or dead, while it waited. Where that cannot be read, it is sent.
        if let Some(Ok(false)) = self.unless_cut(self.registry.is_live(parcel.push.row)).await {
            if let Some(ticket) = leave.ticket {
                self.breakers.told_nothing(leave.app, ticket);
            }
            self.store.decided(&parcel, self.clock.running());
            let end = Final::of(Fate::NotAccepted, PushOutcome::Superseded);
            return self.decided(&parcel, Some(leave.app), end);
        }
        let (app, step) = self.attempt(&mut parcel, leave).await;
        match step {
            Step::Decided(end) => {
                self.store.decided(&parcel, self.clock.running());
                self.decided(&parcel, app, end);
            }
            Step::Again(due) => self.drop_all(self.store.again(parcel, due)),
        }
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
