//! What the outcome of one push teaches about others of its app.

use std::time::Duration;

use super::{Shared, breaker::Ticket, parcel::Parcel};
use crate::providers::{AppKey, Outcome, Scope, Why};

impl Shared {
    /// Tells the app's breaker what an outcome says about other pushes.
    pub(super) fn learn(
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
            Scope::Quota => self.breakers.used_up(app, ticket, now, delay.retry_after),
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
}
