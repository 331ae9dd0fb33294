//! `[entitlement]`: who may push.

use serde::Deserialize;

/// Who may push.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntitlementConfig {
    /// The rule. Default `always`.
    pub policy: EntitlementRule,
    /// So many users need no plan, where plans count. Default 10, Zulip's own limit.
    pub free_users: u32,
    /// Where administrators read about plans; told to servers with too many users.
    pub plans_url: Option<String>,
}

/// The rule by which servers and realms may push.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntitlementRule {
    /// Every registered server may.
    #[default]
    Always,
    /// Up to `free_users` users are free; more of them need a plan, whatever it is for.
    UserLimit,
    /// The same, and a plan counts only for as many users as it is for.
    Plans,
}

impl Default for EntitlementConfig {
    fn default() -> Self {
        Self { policy: EntitlementRule::Always, free_users: 10, plans_url: None }
    }
}
