//! Log lines of single pushes: an outage would write one for each, so each kind is written once a second, with how
//! many were left out.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::parcel::Parcel;
use crate::metrics::GivenUpReason;

const PAUSE: Duration = Duration::from_secs(1);

/// When lines were last written.
#[derive(Default)]
pub(super) struct Sampled {
    refused: Kind,
    given_up: Kind,
}

#[derive(Default)]
struct Kind {
    state: Mutex<(Option<Instant>, u64)>,
}

impl Kind {
    /// How many lines were left out, if one is to be written now.
    fn turn(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.0.is_some_and(|last| now.duration_since(last) < PAUSE) {
            state.1 += 1;
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

impl Sampled {
    /// A push was refused for good.
    pub(super) fn refused(&self, parcel: &Parcel, reason: &str) {
        if let Some(left_out) = self.refused.turn() {
            tracing::warn!(
                event = "push.failed",
                server = %parcel.job.server.uuid,
                provider = parcel.provider().as_str(),
                reason,
                left_out,
                "the push service refused a push",
            );
        }
    }

    /// A push is not tried any more.
    pub(super) fn given_up(&self, parcel: &Parcel, reason: GivenUpReason) {
        if let Some(left_out) = self.given_up.turn() {
            tracing::warn!(
                event = "push.given_up",
                server = %parcel.job.server.uuid,
                provider = parcel.provider().as_str(),
                ?reason,
                attempts = parcel.attempts,
                left_out,
                "a push is not tried any more",
            );
        }
    }
}
