//! One attempt, and what follows from its outcome.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;

use super::{
    MOST_TRYING, Push, Shared,
    backoff::{self, Pause},
    breaker::{Permit, Ticket},
    job::Fate,
    outcome::Final,
    parcel::Parcel,
    store::Due,
};
use crate::{
    brake::Pushed,
    domain::notification::Content,
    metrics::{GivenUpReason, PushOutcome, RetryLabels},
    providers::{AppKey, Attempted, Delay, Outcome, Scope, Why},
};

/// Leave to make one attempt.
#[derive(Clone, Copy)]
pub(super) struct Leave {
    /// The app to begin with.
    pub(super) app: AppKey,
    /// What the result is told with; a last attempt that nobody permitted has none.
    pub(super) ticket: Option<Ticket>,
}

/// What became of a parcel by one attempt.
pub(super) enum Step {
    /// Its final outcome.
    Decided(Final),
    /// It is to be tried again.
    Again(Due),
}

impl Shared {
    /// The first attempt of a parcel; where it cannot be made now, the parcel waits.
    pub(super) async fn begin(&self, mut parcel: Box<Parcel>) {
        let now = self.clock.running();
        let waits = Due { at: now, not_before: Duration::ZERO };
        // What waits for the device already goes first.
        if self.store.has_lane(parcel.push.row) {
            return self.waits(parcel, waits);
        }
        let Some(app) = self.providers.app_of(&parcel.push.target) else {
            return self.decided(
                &parcel,
                None,
                Final::of(Fate::NotAccepted, PushOutcome::NotConfigured),
            );
        };
        // No project of the operator reaches it: that was found out within the hour.
        if self.brake.is_quarantined(parcel.push.row, parcel.push.is_suspect) {
            let end = Final::of(Fate::NotAccepted, PushOutcome::AuthFailed);
            return self.decided(&parcel, Some(app), end);
        }
        // Nobody is asked, so nothing is learnt of the push service.
        if parcel.push.message.is_too_large() {
            if let (app, Step::Decided(end)) =
                self.attempt(&mut parcel, Leave { app, ticket: None }).await
            {
                self.decided(&parcel, app, end);
            }
            return;
        }
        if self.trying.load(Ordering::Relaxed) >= MOST_TRYING {
            return self.waits(parcel, waits);
        }
        let trying = UnderWay::new(&self.trying);
        let row = parcel.push.row;
        // Until the parcel is decided or waits in its lane.
        let _first = match &parcel.about().content {
            Content::Message(_) => Some(self.first_attempts.begin(row)),
            Content::Removal(_) => {
                let ended = self.first_attempts.end(row).boxed();
                if self.unless_cut(ended).await.is_none() {
                    return self.decided(&parcel, Some(app), Final::cut());
                }
                None
            }
            Content::Other => None,
        };
        let now = self.clock.running();
        if self.store.has_lane(row) {
            return self.waits(parcel, Due { at: now, not_before: Duration::ZERO });
        }
        let leave = match self.leave(&parcel, now) {
            Ok(leave) => leave,
            Err(at) => {
                let due = Due { at: at + self.jitter(), not_before: Duration::ZERO };
                return self.waits(parcel, due);
            }
        };
        let (app, step) = self.attempt(&mut parcel, leave).await;
        drop(trying);
        match step {
            Step::Decided(end) => self.decided(&parcel, app, end),
            Step::Again(due) => self.waits(parcel, due),
        }
    }

    /// Sends a parcel once; whose push service had the last word, and what follows.
    pub(super) async fn attempt(
        &self,
        parcel: &mut Parcel,
        leave: Leave,
    ) -> (Option<AppKey>, Step) {
        let Leave { app: asked, ticket } = leave;
        let attempted = match self.cut.is_cancelled() {
            true => None,
            false => {
                self.is_attempted(parcel);
                let attempt = parcel.attempt(Some(asked));
                // Not by `unless_cut`, in which it would take its room twice.
                tokio::select! {
                    biased;
                    attempted = self.providers.attempt(&attempt) => Some(attempted),
                    () = self.cut.cancelled() => None,
                }
            }
        };
        let Some(Attempted { outcome, at, app, first }) = attempted else {
            return (Some(asked), Step::Decided(Final::cut()));
        };
        let now = self.clock.running();
        if let Some(ticket) = ticket {
            match app {
                Some(app) if app != asked => {
                    match first {
                        Some(first) => self.learn(parcel, asked, ticket, now, &first),
                        None => self.breakers.told_nothing(asked, ticket),
                    }
                    if let Some(ticket) = self.breakers.ticket(app) {
                        self.learn(parcel, app, ticket, now, &outcome);
                    }
                }
                _ => self.learn(parcel, asked, ticket, now, &outcome),
            }
        }
        let label = outcome.label();
        let Push { target, row, is_suspect, .. } = &parcel.push;
        let pushed = app.map(|app| Pushed {
            app,
            target,
            row: *row,
            server: parcel.job.server.id,
            is_suspect: *is_suspect,
            at,
        });
        // Work on the database is rare and large: boxed, it takes no room in each push that is under way.
        let fate = match (outcome, pushed) {
            (Outcome::Accepted, Some(pushed)) => {
                if let Some(work) = self.brake.accepted(pushed) {
                    self.unless_cut(work).await;
                }
                Fate::Accepted
            }
            (Outcome::Unregistered { since, reason }, Some(pushed)) => {
                gone_if(self.unless_cut(self.brake.gone(pushed, since, reason).boxed()).await)
            }
            (Outcome::Doubtful(reason), Some(pushed)) => {
                gone_if(self.unless_cut(self.brake.doubtful(pushed, reason).boxed()).await)
            }
            (Outcome::Rejected(reason), _) => {
                self.log.refused(parcel, reason.as_str());
                Fate::NotAccepted
            }
            (Outcome::Delayed(delay), _) => {
                parcel.may_have_arrived |= delay.may_have_been_accepted();
                parcel.last = Some((delay.cause(), label));
                return (app, self.delayed(parcel, &delay, now));
            }
            // Nobody says anything of a device without an app.
            (
                Outcome::Accepted
                | Outcome::Unregistered { .. }
                | Outcome::Doubtful(_)
                | Outcome::NotConfigured,
                _,
            ) => Fate::NotAccepted,
        };
        (app, Step::Decided(Final::of(fate, label)))
    }

    /// Notes that an attempt begins; one after another counts as a retry.
    fn is_attempted(&self, parcel: &mut Parcel) {
        parcel.attempts += 1;
        if let Some((cause, _)) = parcel.last {
            let labels = RetryLabels { provider: parcel.provider(), cause };
            self.metrics.push_retries.get_or_create(&labels).inc();
        }
    }

    /// What comes of some work, unless the end of the bouncer comes first.
    pub(super) async fn unless_cut<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.cut.cancelled() => None,
        }
    }

    /// Leave to send a parcel by one of the apps that may reach its device; else when to ask again.
    pub(super) fn leave(&self, parcel: &Parcel, now: Duration) -> Result<Leave, Duration> {
        let mut soonest = Duration::MAX;
        for app in self.providers.apps_of(&parcel.push.target) {
            match self.breakers.permit(app, now) {
                Permit::Free(ticket) | Permit::Probe(ticket) => {
                    return Ok(Leave { app, ticket: Some(ticket) });
                }
                Permit::Not(at) => soonest = soonest.min(at),
            }
        }
        Err(soonest)
    }

    /// Tells the app's breaker what an outcome says about other pushes.
    fn learn(
        &self,
        parcel: &mut Parcel,
        app: AppKey,
        ticket: Ticket,
        now: Duration,
        outcome: &Outcome,
    ) {
        let delay = match outcome {
            Outcome::Delayed(delay) => delay,
            Outcome::NotConfigured => return self.breakers.told_nothing(app, ticket),
            // Whoever refuses does its work.
            Outcome::Accepted
            | Outcome::Unregistered { .. }
            | Outcome::Doubtful(_)
            | Outcome::Rejected(_) => return self.is_well(app, ticket, now),
        };
        match delay.scope() {
            Scope::Nothing => self.breakers.told_nothing(app, ticket),
            Scope::Device => self.is_well(app, ticket, now),
            // It may fail for ever where others are taken: one push, one word.
            Scope::App | Scope::Credentials if !parcel.tells(app, ticket) => {}
            scope @ (Scope::App | Scope::Credentials) => {
                let error: &dyn std::fmt::Display = match &delay.why {
                    Why::Refused(reason) => &reason.as_str(),
                    Why::Failed(failure) => failure,
                };
                let is_refused = scope == Scope::Credentials;
                self.breakers.failed(app, ticket, now, is_refused, delay.retry_after, error);
            }
        }
    }

    fn is_well(&self, app: AppKey, ticket: Ticket, now: Duration) {
        if self.breakers.succeeded(app, ticket, now) {
            self.wake(app);
        }
    }

    /// When a parcel is tried again; once more at the end of its time, then not any more.
    fn delayed(&self, parcel: &Parcel, delay: &Delay, now: Duration) -> Step {
        if now >= parcel.expires {
            return Step::Decided(Final::given_up(parcel, GivenUpReason::Expired));
        }
        let is_ending = self.is_ending.load(Ordering::Relaxed);
        let Pause { whole, asked_for } =
            backoff::pause(parcel.attempts, delay, parcel.provider(), is_ending, &self.random);
        let at = (now + whole).min(parcel.expires);
        Step::Again(Due { at, not_before: (now + asked_for).min(parcel.expires) })
    }

    /// A moment by which attempts are spread that would all be made at once.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_millis(250).mul_f64(self.random.fraction())
    }
}

/// Counts an attempt for as long as it lives, however it ends.
pub(super) struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn gone_if(is_gone: Option<bool>) -> Fate {
    if is_gone == Some(true) { Fate::Gone } else { Fate::NotAccepted }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what a method gives back.
    fn size_of_result<'a, S: 'a, A, R>(_: impl FnOnce(&'a S, A) -> R) -> usize {
        size_of::<R>()
    }

    #[test]
    fn a_push_under_way_takes_little_memory() {
        let bytes = size_of_result(Shared::begin);
        assert!(bytes <= 3 * 1024, "2,048 of them are under way at once: {bytes} bytes each");
    }
}
