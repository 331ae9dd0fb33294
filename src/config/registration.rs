//! `[registration]`: which servers may register.

use serde::Deserialize;

/// Who may register.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationConfig {
    /// How the administrator's e-mail address is checked. Default `mx-or-a`.
    pub email_check: EmailCheck,
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
