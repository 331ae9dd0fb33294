//! What an operator agreed with a server or a realm.

use crate::clock::Timestamp;

/// The name of the plan that lets everybody push, whatever their number.
pub const COMMUNITY: &str = "community";

/// What an operator agreed with a server or a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name, of the operator's choice; [`COMMUNITY`] has a meaning.
    pub name: String,
    /// Where it stands.
    pub status: PlanStatus,
    /// When it ends, if that is known.
    pub ends_at: Option<Timestamp>,
    /// For how many users it is, if it is not for any number.
    pub user_limit: Option<i64>,
}

/// Where a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanStatus {
    /// It goes on.
    Active,
    /// It goes on until its end, and not after it.
    Ending,
    /// It is over.
    Ended,
}

impl PlanStatus {
    /// Zulip's number for it, which the database holds.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::Active => 1,
            Self::Ending => 2,
            Self::Ended => 11,
        }
    }

    /// The word for it on the command line and in the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }

    /// The status with this number; every other number is one of a plan that is over.
    #[must_use]
    pub fn from_number(number: i16) -> Self {
        match number {
            1 => Self::Active,
            2 => Self::Ending,
            _ => Self::Ended,
        }
    }
}

impl Plan {
    /// Whether it is the one for communities.
    #[must_use]
    pub fn is_community(&self) -> bool {
        self.name == COMMUNITY
    }

    /// Whether it counts now: it was not ended, and its end is not past.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status != PlanStatus::Ended && self.ends_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_live_until_its_end() {
        let at = Timestamp::from_unix_seconds;
        let plan = |status, ends_at: Option<i64>| Plan {
            name: "business".to_owned(),
            status,
            ends_at: ends_at.map(at),
            user_limit: None,
        };
        assert!(plan(PlanStatus::Active, None).is_live(at(5)));
        assert!(plan(PlanStatus::Ending, Some(6)).is_live(at(5)));
        assert!(!plan(PlanStatus::Active, Some(5)).is_live(at(5)));
        assert!(!plan(PlanStatus::Ended, None).is_live(at(5)));
    }

    #[test]
    fn a_status_survives_the_database() {
        for status in [PlanStatus::Active, PlanStatus::Ending, PlanStatus::Ended] {
            assert_eq!(PlanStatus::from_number(status.number()), status);
        }
    }
}
