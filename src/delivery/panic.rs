//! What becomes of a push whose attempt panics: a fault of ours loses nothing.

use std::{sync::atomic::Ordering, time::Duration};

use super::{Shared, attempt::Step, backoff, parcel::Parcel, store::Due};
use crate::{
    metrics::{PushOutcome, RetryCause},
    providers::AppKey,
};

impl Shared {
    /// What follows from a panic, which was logged where it happened, when there had been so many attempts: another
    /// one. Nobody knows how far this one came.
    pub(super) fn after_panic(&self, parcel: &mut Parcel, before: u32) -> (Option<AppKey>, Step) {
        if parcel.attempts > before {
            parcel.may_have_arrived = Some(RetryCause::Fault);
        }
        parcel.attempts = before + 1;
        parcel.last = Some((RetryCause::Fault, PushOutcome::ProviderError));
        let now = self.clock.running();
        let is_ending = self.is_ending.load(Ordering::Relaxed);
        let pause = backoff::pause_of_fault(parcel.attempts, is_ending, &self.random);
        let due = Due { at: (now + pause).min(parcel.expires), not_before: Duration::ZERO };
        (None, Step::Again(due))
    }
}
