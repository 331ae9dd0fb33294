//! `[dns]`: who is asked about names.

use std::net::SocketAddr;

use serde::Deserialize;

/// Name servers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsConfig {
    /// Their addresses. Default: those of the system.
    pub servers: Vec<SocketAddr>,
}
