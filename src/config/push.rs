//! `[push]`: how a notification goes out.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// How pushes are sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PushConfig {
    /// A notify is answered at the latest after this, while sends go on. Default 3 s, at most 12 s.
    #[serde(deserialize_with = "duration::read")]
    pub answer_within: Duration,
}

impl Default for PushConfig {
    fn default() -> Self {
        Self { answer_within: Duration::from_secs(3) }
    }
}
