//! `[outbound]`: calls to hosts that others name.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

/// Calls to the push services and to chat servers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboundConfig {
    /// Authorities to trust besides the public ones (PEM), where a section has no `ca_file` of its own.
    pub ca_file: Option<PathBuf>,
    /// Networks that are not of the public Internet, in which hosts that others name may be called all
    /// the same. Default none.
    pub permitted_networks: Vec<IpNet>,
}
