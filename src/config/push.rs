//! `[push]`: how a notification goes out, and what is done where it does not.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// How pushes are sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PushConfig {
    /// A notify is answered at the latest after this, while sends go on. Default 3 s, at most 12 s.
    #[serde(deserialize_with = "duration::read")]
    pub answer_within: Duration,
    /// A push that fails for a reason that may pass is tried again for so long. Default 1 h.
    #[serde(deserialize_with = "duration::read")]
    pub retry_for: Duration,
    /// Memory for pushes that wait for another attempt, in bytes. Default 64 MiB.
    pub retry_bytes: usize,
    /// Pushes that wait for another attempt, at most. Default 100,000.
    pub retry_devices: usize,
    /// A notify that comes again within this reaches only devices that did not accept the first one; 0 turns
    /// it off. Default 10 min.
    #[serde(deserialize_with = "duration::read")]
    pub duplicate_window: Duration,
    /// Notifies that are remembered for it, at most; each takes about 300 bytes. Default 200,000.
    pub duplicate_entries: usize,
    /// When a push service that calls devices bad is not believed.
    pub brake: BrakeConfig,
}

/// When a push service that calls devices bad is not believed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrakeConfig {
    /// Default true.
    pub enabled: bool,
    /// Fewer pushes of an app than this say nothing. Default 50.
    pub min_pushes: u32,
    /// The part of an app's pushes that must be exceeded. Default 0.25.
    pub ratio: f64,
    /// Within this time. Default 15 min.
    #[serde(deserialize_with = "duration::read")]
    pub window: Duration,
}

impl Default for PushConfig {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_secs(3),
            retry_for: Duration::from_secs(60 * 60),
            retry_bytes: 64 * 1024 * 1024,
            retry_devices: 100_000,
            duplicate_window: Duration::from_secs(10 * 60),
            duplicate_entries: 200_000,
            brake: BrakeConfig::default(),
        }
    }
}

impl Default for BrakeConfig {
    fn default() -> Self {
        Self { enabled: true, min_pushes: 50, ratio: 0.25, window: Duration::from_secs(15 * 60) }
    }
}
