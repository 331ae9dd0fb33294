//! What answers to notifications and uploads say of a realm.

use serde::Serialize;

use crate::{clock::Timestamp, entitlement::Entitlement};

/// May a realm push, and until when?
#[derive(Serialize)]
pub(super) struct RealmStatus {
    can_push: bool,
    /// Unix seconds.
    expected_end_timestamp: Option<i64>,
}

impl From<&Entitlement> for RealmStatus {
    fn from(entitlement: &Entitlement) -> Self {
        Self {
            can_push: entitlement.can_push,
            expected_end_timestamp: entitlement.expected_end.map(Timestamp::unix_seconds),
        }
    }
}
