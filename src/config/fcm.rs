//! `[fcm.<app>]`: an app on Android phones, and the service account of its Firebase project.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{Connections, apns::attempt_timeout, duration};

/// One Firebase project.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcmAppConfig {
    /// The service account's key file, JSON.
    pub service_account_file: PathBuf,
    /// The project, when it is not the service account's own.
    pub project_id: Option<String>,
    /// Another address than `https://fcm.googleapis.com`.
    pub endpoint: Option<String>,
    /// Another address for access tokens than the one in the key file.
    pub token_uri: Option<String>,
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
