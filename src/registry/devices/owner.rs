//! Whose devices are read and kept together.

use entities::devices;
use sea_orm::{ColumnTrait as _, Condition};
use uuid::Uuid;

use crate::domain::{remote_server::RemoteServer, user::User};

/// Whose devices are kept in memory together: one identity of one user. A user with two of them has two
/// entries, so that a change of a row concerns exactly one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::registry) enum Owner {
    Id(i64, i64),
    Uuid(i64, Uuid),
}

impl Owner {
    /// The identities of a user.
    pub(super) fn of(server: &RemoteServer, user: User) -> [Option<Self>; 2] {
        [
            user.id().map(|id| Self::Id(server.id, id)),
            user.uuid().map(|uuid| Self::Uuid(server.id, uuid)),
        ]
    }

    /// Whose row it is.
    pub(super) fn of_row(row: &devices::Model) -> Option<Self> {
        match (row.user_id, row.user_uuid) {
            (Some(id), _) => Some(Self::Id(row.server_id, id)),
            (None, Some(uuid)) => Some(Self::Uuid(row.server_id, uuid)),
            (None, None) => None,
        }
    }

    /// What the rows have in common.
    pub(super) fn condition(self) -> Condition {
        let (server, identity) = match self {
            Self::Id(server, id) => (server, devices::Column::UserId.eq(id)),
            Self::Uuid(server, uuid) => (server, devices::Column::UserUuid.eq(uuid)),
        };
        Condition::all().add(devices::Column::ServerId.eq(server)).add(identity)
    }
}
