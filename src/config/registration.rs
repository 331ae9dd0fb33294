//! `[registration]`: which servers may register, and take over a registration.

use std::num::NonZeroU32;

use serde::Deserialize;

use super::limits::Rate;
use crate::domain::host_pattern::HostPattern;

/// Who may register.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationConfig {
    /// How the administrator's e-mail address is checked. Default `mx-or-a`.
    pub email_check: EmailCheck,
    /// Which new servers are taken. Default `open`.
    pub mode: RegistrationMode,
    /// In mode `allowlist`, only these hosts may register.
    pub allow_hosts: Vec<HostPattern>,
    /// These hosts may not register, in any mode.
    pub deny_hosts: Vec<HostPattern>,
    /// Whether who holds a host name may take over its registration. Default yes.
    pub transfer: bool,
    /// How many take-overs may be tried in all; the reference's limit. Default `30/day`.
    pub transfer_limit: Rate,
}

const THIRTY: NonZeroU32 = NonZeroU32::new(30).expect("30 is not zero");

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self {
            email_check: EmailCheck::default(),
            mode: RegistrationMode::default(),
            allow_hosts: Vec::new(),
            deny_hosts: Vec::new(),
            transfer: true,
            transfer_limit: Rate::per_day(THIRTY),
        }
    }
}

/// Which new servers are taken; those that are registered are not asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrationMode {
    /// All.
    #[default]
    Open,
    /// All, but they may not push until the operator approves them.
    Approval,
    /// Those whose host name is allowed.
    Allowlist,
    /// None.
    Closed,
}

/// How an e-mail address is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmailCheck {
    /// Its domain has a mail server by MX record.
    Mx,
    /// Its domain has an MX record or an address: RFC 5321 section 5.1 delivers to either.
    #[default]
    MxOrA,
    /// It is written as an address is.
    Syntax,
    /// Not at all.
    Off,
}
