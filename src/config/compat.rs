//! `[compat]`: where more than one behaviour is right for some chat servers.

use serde::Deserialize;

/// How chat servers are answered.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompatConfig {
    /// Which devices a chat server is told to delete. Default `all`.
    pub report_deleted_devices: ReportDeletedDevices,
}

/// Which of the devices that a chat server believes in, and that are not ours, it is told of; it deletes its own
/// copy of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportDeletedDevices {
    /// All of them, as the protocol says; none that nobody knows while the brake of an app is on.
    #[default]
    All,
    /// Those that were registered with us and are gone: right where our own memory has holes. For 30 days after an
    /// import, and after a backup was restored, it is so by itself.
    Tombstones,
}
