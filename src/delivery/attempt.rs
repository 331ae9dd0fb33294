//! One attempt, and what follows from its outcome.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::FutureExt as _;

use super::{
    Push, Shared,
    backoff::{self, Pause},
    breaker::{Permit, Ticket},
    job::Fate,
    outcome::Final,
    parcel::Parcel,
    store::Due,
};
use crate::{
    brake::Pushed,
    metrics::{GivenUpReason, RetryCause, RetryLabels},
    providers::{AppKey, Attempted, Delay, Outcome},
};

/// Leave to make one attempt.
#[derive(Clone, Copy)]
pub(super) struct Leave {
    /// The app to begin with.
    pub(super) app: AppKey,
    /// What the result is told with; an attempt that does not leave the bouncer has none.
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
                    () = self.cut.cancelled() => {
                        // Another node is to know, where the notify comes again.
                        parcel.may_have_arrived = Some(RetryCause::Interrupted);
                        None
                    }
                }
            }
        };
        let Some(Attempted { outcome, at, app, others }) = attempted else {
            return (Some(asked), Step::Decided(Final::cut()));
        };
        let now = self.clock.running();
        if let Some(ticket) = ticket {
            let last = (app.unwrap_or(asked), &outcome);
            for (app, said) in others.iter().map(|(app, said)| (*app, said)).chain([last]) {
                let ticket = if app == asked { Some(ticket) } else { self.breakers.ticket(app) };
                if let Some(ticket) = ticket {
                    self.learn(parcel, app, ticket, now, said);
                }
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
                if delay.may_have_been_accepted() {
                    parcel.may_have_arrived = Some(delay.cause());
                }
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

    /// Notes that an attempt begins; one after another counts as a retry, also after an earlier request's that may
    /// have been accepted.
    fn is_attempted(&self, parcel: &mut Parcel) {
        parcel.attempts += 1;
        if let Some(cause) = parcel.last.map(|(cause, _)| cause).or(parcel.may_have_arrived) {
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

    /// When a parcel is tried again: once more shortly before the end of its time, then not any more. Where its push
    /// service asks for more time than it has, it waits for its end.
    fn delayed(&self, parcel: &Parcel, delay: &Delay, now: Duration) -> Step {
        let last = parcel.last_attempt();
        if now >= last {
            return Step::Decided(Final::given_up(parcel, GivenUpReason::Expired));
        }
        let is_ending = self.is_ending.load(Ordering::Relaxed);
        let Pause { whole, asked_for } =
            backoff::pause(parcel.attempts, delay, parcel.provider(), is_ending, &self.random);
        let not_before = (now + asked_for).min(parcel.expires);
        Step::Again(Due { at: (now + whole).min(last).max(not_before), not_before })
    }

    /// A moment by which attempts are spread that would all be made at once.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_millis(250).mul_f64(self.random.fraction())
    }
}

fn gone_if(is_gone: Option<bool>) -> Fate {
    if is_gone == Some(true) { Fate::Gone } else { Fate::NotAccepted }
}
