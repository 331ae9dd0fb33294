//! `[internal]`: the listener for the operator's own tools.

use std::net::SocketAddr;

use serde::Deserialize;

/// The operator's listener: `/metrics`, `/livez`, `/readyz`, without TLS and without a password.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InternalConfig {
    /// Addresses to listen on; nobody else should reach them. Default `["127.0.0.1:9464"]`.
    pub listen: Vec<SocketAddr>,
}

impl Default for InternalConfig {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from(([127, 0, 0, 1], 9464))] }
    }
}
