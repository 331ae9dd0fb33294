//! `[operator]`: who runs this bouncer.

use serde::Deserialize;

/// The operator.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorConfig {
    /// Where people who run chat servers find help: an e-mail address or another word for a place. It is
    /// shown to them. Default none.
    pub contact: Option<String>,
}
