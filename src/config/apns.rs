//! `[apns.<app>]`: an app on Apple's phones, and the credentials of its publisher.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{Connections, duration};

/// One Apple app, or several that share credentials.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApnsAppConfig {
    /// The bundle ids; a device's `ios_app_id` is one of them.
    pub topics: Vec<String>,
    /// Which of Apple's two worlds the app's devices live in; it has no default, since the wrong one
    /// makes Apple call every token bad.
    pub environment: ApnsEnvironment,
    /// The token key (`AuthKey_….p8`).
    pub key_file: Option<PathBuf>,
    /// The key's id, ten characters.
    pub key_id: Option<String>,
    /// The team's id, ten characters.
    pub team_id: Option<String>,
    /// A client certificate with its private key (PEM) instead of a token key.
    pub cert_file: Option<PathBuf>,
    /// Another address than Apple's, such as `https://api.push.apple.com:2197`.
    pub endpoint: Option<String>,
    /// Authorities to trust besides the public ones (PEM).
    pub ca_file: Option<PathBuf>,
    /// How long one attempt may take until it has a place on a connection; its answer may take as long again.
    /// Default 4 s, from 100 ms to 1 min.
    #[serde(default = "attempt_timeout", deserialize_with = "duration::read")]
    pub attempt_timeout: Duration,
    /// Connections at most: `"auto"`, which is 16, or a number.
    #[serde(default)]
    pub connections: Connections,
}

/// One of Apple's two worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApnsEnvironment {
    /// Apps from the App Store and TestFlight.
    Production,
    /// Apps run from Xcode.
    Sandbox,
}

impl ApnsEnvironment {
    /// Apple's address for it
    /// (<https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns>).
    #[must_use]
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::Production => "https://api.push.apple.com",
            Self::Sandbox => "https://api.sandbox.push.apple.com",
        }
    }
}

pub(super) fn attempt_timeout() -> Duration {
    Duration::from_secs(4)
}
