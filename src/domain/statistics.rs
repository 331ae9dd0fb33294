//! What servers upload about the use of their realms: counts, and events on realms.

mod property;
mod role_counts;

pub use property::CountProperty;
pub use role_counts::{OddRoleCounts, user_count};

use crate::clock::Timestamp;

/// How often something happened in an hour or a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The row's number on its server.
    pub remote_id: i64,
    /// What was counted.
    pub property: CountProperty,
    /// What of it, such as `true` for bots, at most 16 characters; empty where it is not divided.
    pub subgroup: Box<str>,
    /// The end of the hour or day.
    pub end_time: Timestamp,
    /// How often.
    pub value: i64,
}

/// How often something happened on one realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmCount {
    /// The realm's number on its server.
    pub realm_id: i64,
    /// What was counted there.
    pub count: Count,
}

/// Something that happened on a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmAuditRow {
    /// The row's number on its server.
    pub remote_id: i64,
    /// The realm's number on its server.
    pub realm_id: i64,
    /// What happened.
    pub event: RealmEvent,
    /// When.
    pub event_time: Timestamp,
    /// Whether the server reconstructed it later.
    pub backfilled: bool,
    /// What else is to be known, as a JSON object.
    pub extra_data: Box<str>,
    /// How many people used the realm after it, bots aside, where `extra_data` says so.
    pub user_count: Option<i64>,
}

/// An event of the kinds that servers upload, by Zulip's number for it: each may change the number of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealmEvent(i32);

impl RealmEvent {
    /// Users created, activated, deactivated, reactivated and with another role; realms deactivated,
    /// reactivated and imported; and one of newer servers.
    const KINDS: [i32; 9] = [101, 102, 103, 104, 105, 201, 202, 229, 725];

    /// The event with this number, when it is of these kinds.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        let number = i32::try_from(number).ok()?;
        Self::KINDS.contains(&number).then_some(Self(number))
    }

    /// Zulip's number for it.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}
