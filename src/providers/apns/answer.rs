//! What Apple answered.

use http::HeaderMap;
use serde::Deserialize;

use super::ApnsReason;
use crate::providers::{Delay, Failure, Outcome, RejectionReason, Why};

/// An answer, or why there is none.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) headers: HeaderMap,
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self { outcome: failure.into(), headers: HeaderMap::new() }
    }
}

/// Apple's server that the connection leads to is shutting down: others are not.
pub(super) fn is_ending(outcome: &Outcome) -> bool {
    is_refused_as(outcome, ApnsReason::Shutdown)
}

/// Whether Apple refuses the push for now, for this reason.
pub(super) fn is_refused_as(outcome: &Outcome, reason: ApnsReason) -> bool {
    let reason = RejectionReason::Apns(reason);
    matches!(outcome, Outcome::Delayed(Delay { why: Why::Refused(said), .. }) if *said == reason)
}

/// The body of an answer that is not 200.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub(super) reason: String,
    /// With status 410: when Apple last knew the token to be gone, in milliseconds.
    #[serde(default, deserialize_with = "milliseconds")]
    pub(super) timestamp: Option<i64>,
}

/// The reason counts, also where the time cannot be understood.
fn milliseconds<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<i64>, D::Error> {
    Ok(serde_json::Value::deserialize(value)?.as_i64())
}
