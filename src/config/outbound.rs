//! `[outbound]`: calls to the push services and to hosts that others name.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;

use super::duration;

/// Calls to the push services and to chat servers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboundConfig {
    /// Authorities to trust besides the public ones (PEM), where a section has no `ca_file` of its own.
    pub ca_file: Option<PathBuf>,
    /// Networks that are not of the public Internet, in which hosts that others name may be called all
    /// the same. Default none.
    pub permitted_networks: Vec<IpNet>,
    /// How often an open connection to a push service is asked whether anybody is there. Default 30 s.
    #[serde(deserialize_with = "duration::read")]
    pub ping_interval: Duration,
    /// How long the answer may take before the connection is replaced; also one on which the push service
    /// allows no request at all for so long, when some wait. Default 10 s.
    #[serde(deserialize_with = "duration::read")]
    pub ping_timeout: Duration,
    /// A connection to a push service is replaced at about this age. Default 1 h.
    #[serde(deserialize_with = "duration::read")]
    pub max_connection_age: Duration,
    /// A connection beyond the first that was not needed for so long is closed. Default 10 min.
    #[serde(deserialize_with = "duration::read")]
    pub idle_timeout: Duration,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            ca_file: None,
            permitted_networks: Vec::new(),
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(10),
            max_connection_age: Duration::from_secs(60 * 60),
            idle_timeout: Duration::from_secs(10 * 60),
        }
    }
}
