//! The end of a push: its final outcome, counted once.

use std::sync::{Arc, atomic::Ordering};

use tracing::field;

use super::{
    Shared,
    job::{Fate, Job, Progress},
    parcel::Parcel,
    store::{DropReason, Dropped, Due},
};
use crate::{
    domain::notification::Origin,
    metrics::{
        ApiLabel, AppLabels, GivenUpLabels, GivenUpReason, NotificationLabels, NotificationResult,
        ProviderLabels, PushLabels, PushOutcome,
    },
    providers::AppKey,
    registry::PushCount,
};

/// The final outcome of a push.
#[derive(Clone, Copy)]
pub(super) struct Final {
    pub(super) fate: Fate,
    outcome: PushOutcome,
    given_up: Option<GivenUpReason>,
}

impl Final {
    pub(super) fn of(fate: Fate, outcome: PushOutcome) -> Self {
        Self { fate, outcome, given_up: None }
    }

    /// It is not tried any more; the outcome is that of the last attempt.
    pub(super) fn given_up(parcel: &Parcel, reason: GivenUpReason) -> Self {
        let outcome = parcel.last.map_or(PushOutcome::ProviderError, |(_, outcome)| outcome);
        Self { fate: Fate::NotAccepted, outcome, given_up: Some(reason) }
    }

    /// The bouncer ends before the answer: the push may arrive, and may not.
    pub(super) fn cut() -> Self {
        let given_up = Some(GivenUpReason::Shutdown);
        Self { fate: Fate::NotAccepted, outcome: PushOutcome::Timeout, given_up }
    }
}

impl Shared {
    /// Notes that a parcel waits, and drops what has to go for it.
    pub(super) fn waits(&self, parcel: Box<Parcel>, due: Due) {
        let progress = parcel.job.waits(parcel.index);
        self.count(&parcel.job, progress);
        self.drop_all(self.store.insert(parcel, due));
    }

    /// The end of parcels that had to go.
    pub(super) fn drop_all(&self, dropped: Vec<Dropped>) {
        for Dropped { parcel, why } in dropped {
            let end = match why {
                DropReason::Superseded => Final::of(Fate::Accepted, PushOutcome::Superseded),
                DropReason::GivenUp(reason) => Final::given_up(&parcel, reason),
            };
            self.decided(&parcel, self.providers.app_of(&parcel.push.target), end);
        }
    }

    /// The end of a push that an earlier request brought already.
    pub(super) fn is_repeated(&self, parcel: &Parcel) {
        let end = Final::of(Fate::Accepted, PushOutcome::Deduplicated);
        self.end(parcel, self.providers.app_of(&parcel.push.target), end);
    }

    /// The end of a push that came in to be sent, and that a request to another node has brought, or is bringing.
    pub(super) fn is_repeated_after_all(&self, parcel: &Parcel) {
        let _one_less = Undecided(self);
        self.is_repeated(parcel);
    }

    /// The end of a push.
    pub(super) fn decided(&self, parcel: &Parcel, app: Option<AppKey>, end: Final) {
        let _one_less = Undecided(self);
        if let Some(found) = &parcel.job.remembered {
            self.duplicates.ended(parcel, found, end.fate == Fate::Accepted);
        }
        self.end(parcel, app, end);
    }

    fn end(&self, parcel: &Parcel, app: Option<AppKey>, end: Final) {
        let Final { fate, outcome, given_up } = end;
        let provider = parcel.provider();
        let app = app.map_or("none", |app| self.breakers.name(app));
        let metrics = &self.metrics;
        metrics.pushes.get_or_create(&PushLabels { provider, app: app.to_owned(), outcome }).inc();
        metrics
            .push_duration
            .get_or_create(&ProviderLabels { provider })
            .observe(parcel.began.elapsed().as_secs_f64());
        if let Some(reason) = given_up {
            metrics.pushes_given_up.get_or_create(&GivenUpLabels { provider, reason }).inc();
            self.log.given_up(parcel, reason);
        }
        if outcome == PushOutcome::Accepted {
            self.arrived(parcel, app);
        }
        let progress = match outcome {
            // The first request counts it.
            PushOutcome::Deduplicated | PushOutcome::Superseded => {
                parcel.job.decide_uncounted(parcel.index, fate)
            }
            _ => parcel.job.decide(parcel.index, fate),
        };
        self.count(&parcel.job, progress);
    }

    fn arrived(&self, parcel: &Parcel, app: &str) {
        let provider = parcel.provider();
        let now = self.clock.now();
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
        if let Some(written_at) = parcel.about().written_at {
            let age = now.unix_millis() as f64 / 1000.0 - written_at as f64;
            self.metrics
                .delivery_latency
                .get_or_create(&ProviderLabels { provider })
                .observe(age.max(0.0));
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
        self.metrics
            .provider_last_success
            .get_or_create(&AppLabels { provider, app: app.to_owned() })
            .set(now.unix_seconds() as f64);
    }

    /// Counts what a job has come to.
    fn count(&self, job: &Arc<Job>, progress: Progress) {
        if progress.accepted > 0 && job.origin != Origin::Test {
            let forwarded = i64::try_from(progress.accepted).unwrap_or(i64::MAX);
            let count = PushCount { received: 0, forwarded };
            self.registry.count_pushes(job.server.id, job.realm_id, count);
        }
        if progress.is_done {
            self.finished(job);
        }
    }

    /// Counts a notification whose pushes are all decided.
    pub(super) fn finished(&self, job: &Job) {
        let (devices, accepted) = (job.pushes(), job.accepted());
        let result = match (devices, accepted) {
            (0, _) => NotificationResult::NoDevices,
            (_, 0) => NotificationResult::NoneAccepted,
            (devices, accepted) if devices == accepted => NotificationResult::AllAccepted,
            _ => NotificationResult::Partial,
        };
        let api = job.origin.into();
        self.metrics.notifications.get_or_create(&NotificationLabels { api, result }).inc();
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 devices")]
        self.metrics.notification_devices.get_or_create(&ApiLabel { api }).observe(devices as f64);
        tracing::debug!(
            event = "notification.done",
            server = %job.server.uuid,
            devices,
            accepted,
            result = field::debug(result),
            "a notification was sent",
        );
    }
}

/// A push that has no final outcome until this is dropped, also by a panic.
struct Undecided<'a>(&'a Shared);

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        if self.0.undecided.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.all_are_decided.notify_waiters();
        }
    }
}
