//! The first attempt of a push, made at once where it can be.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;

use super::{
    Shared,
    attempt::{Leave, Step},
    job::Fate,
    outcome::Final,
    parcel::Parcel,
    store::{Due, FirstAttempt},
};
use crate::{metrics::PushOutcome, providers::AppKey};

impl Shared {
    /// The first attempt of a parcel; where it cannot be made now, the parcel waits.
    pub(super) async fn begin(&self, mut parcel: Box<Parcel>) {
        // Until the parcel is decided or waits in its lane.
        let mut first = None;
        let step = AssertUnwindSafe(self.first_step(&mut parcel, &mut first)).catch_unwind().await;
        let (app, step) = step.unwrap_or_else(|_| self.after_panic(&mut parcel, 0));
        match step {
            Step::Decided(end) => self.decided(&parcel, app, end),
            Step::Again(due) => self.waits(parcel, due),
        }
    }

    /// What comes of a parcel that nobody has looked at yet.
    async fn first_step<'a>(
        &'a self,
        parcel: &mut Parcel,
        first: &mut Option<FirstAttempt<'a>>,
    ) -> (Option<AppKey>, Step) {
        let now = self.clock.running();
        let waits = Step::Again(Due { at: now, not_before: Duration::ZERO });
        // What waits for the device already goes first.
        if self.store.has_lane(parcel.push.row) {
            return (None, waits);
        }
        let Some(app) = parcel.app else {
            let end = Final::of(Fate::NotAccepted, PushOutcome::NotConfigured);
            return (None, Step::Decided(end));
        };
        // No project of the operator reaches it: that was found out within the hour.
        if self.brake.is_quarantined(parcel.push.row, parcel.push.is_suspect) {
            let end = Final::of(Fate::NotAccepted, PushOutcome::AuthFailed);
            return (Some(app), Step::Decided(end));
        }
        // Nobody is asked, so nothing is learnt of the push service.
        if parcel.push.message.is_too_large() {
            return self.attempt(parcel, Leave { app, ticket: None }).await;
        }
        if !self.first_places.has_room(app) {
            return (None, waits);
        }
        let _place = self.first_places.take(app);
        *first = self.store.first_attempt(parcel);
        if first.is_none() {
            return (None, waits);
        }
        match self.leave(parcel, now) {
            Ok(leave) => self.attempt(parcel, leave).await,
            Err(at) => {
                let due = Due { at: at + self.jitter(), not_before: Duration::ZERO };
                (None, Step::Again(due))
            }
        }
    }
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
        assert!(bytes <= 3 * 1024, "1,536 of them are under way at once: {bytes} bytes each");
    }
}
