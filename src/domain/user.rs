//! Who a notification is for, as the remote server names the person.

use uuid::Uuid;

/// A user of one remote server: by number, by UUID or by both.
///
/// Numbers are unique only inside one server; a stored device has exactly one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum User {
    /// Only the number was given: a server before 5.0.
    Id(i64),
    /// Only the UUID was given.
    Uuid(Uuid),
    /// Both were given; devices stored under either are this user's.
    Both {
        /// The number.
        id: i64,
        /// The UUID.
        uuid: Uuid,
    },
}

impl User {
    /// The user named by what was given; `None` when neither was.
    #[must_use]
    pub fn from_parts(id: Option<i64>, uuid: Option<Uuid>) -> Option<Self> {
        match (id, uuid) {
            (Some(id), Some(uuid)) => Some(Self::Both { id, uuid }),
            (Some(id), None) => Some(Self::Id(id)),
            (None, Some(uuid)) => Some(Self::Uuid(uuid)),
            (None, None) => None,
        }
    }

    /// The number, if it was given.
    #[must_use]
    pub fn id(self) -> Option<i64> {
        match self {
            Self::Id(id) | Self::Both { id, .. } => Some(id),
            Self::Uuid(_) => None,
        }
    }

    /// The UUID, if it was given.
    #[must_use]
    pub fn uuid(self) -> Option<Uuid> {
        match self {
            Self::Uuid(uuid) | Self::Both { uuid, .. } => Some(uuid),
            Self::Id(_) => None,
        }
    }

    /// The one identity under which a new device is stored: the UUID when there is one.
    #[must_use]
    pub fn stored(self) -> (Option<i64>, Option<Uuid>) {
        match self {
            Self::Id(id) => (Some(id), None),
            Self::Uuid(uuid) | Self::Both { uuid, .. } => (None, Some(uuid)),
        }
    }
}
