//! The ways a whole service can fail.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::millis;

/// How a service fails, for all its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// New connections are closed before TLS; open ones go on (see
    /// [`super::Faults::close_connections`]).
    Refuse,
    /// New connections are taken and open ones stay, but nothing is read, written or acknowledged
    /// on any, PING included. When it ends, all go on where they were.
    Silence,
    /// Every notification is answered with 503: `ServiceUnavailable`, or `UNAVAILABLE`.
    ServiceUnavailable,
    /// Every notification is answered with 500: `InternalServerError`, or `INTERNAL`.
    InternalServerError,
}

/// How Google's token endpoint fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenOutage {
    /// It answers so much later; what it answers is right.
    #[serde(rename = "slow_ms", with = "millis")]
    Slow(Duration),
    /// It answers 400 `invalid_grant` to every assertion.
    InvalidGrant,
    /// It answers 503.
    Unavailable,
    /// It never answers.
    Silence,
}

/// To which side a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// It shows a later time.
    Ahead,
    /// It shows an earlier time.
    Behind,
}
