//! What nodes tell each other of changes: `NOTIFY` in the transaction of the change.
//!
//! It is delivered when the change can be seen, and only then. Devices are not announced: PostgreSQL commits transactions
//! with a `NOTIFY` one after the other.

use std::str::FromStr;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, Statement};
use uuid::Uuid;

/// The channel of PostgreSQL.
pub(super) const CHANNEL: &str = "push_bouncer";

/// What was changed, or added, if others may remember that it was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The server with this id.
    Server(Uuid),
    /// The realm with this UUID.
    Realm(Uuid),
    /// The list of registration keys.
    RegistrationKeys,
}

/// An announcement of a newer program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownChange;

/// Tells all nodes of these changes when the transaction is committed. A SQLite database has one node.
pub(super) async fn announce(
    transaction: &DatabaseTransaction,
    changes: impl IntoIterator<Item = Change>,
) -> Result<(), DbErr> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let words: Vec<String> = changes.into_iter().map(Change::word).collect();
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT pg_notify($1, word) FROM unnest(string_to_array($2, ' ')) AS word",
        [CHANNEL.into(), words.join(" ").into()],
    );
    transaction.execute_raw(statement).await.map(drop)
}

impl Change {
    fn word(self) -> String {
        match self {
            Self::Server(uuid) => format!("server:{uuid}"),
            Self::Realm(uuid) => format!("realm:{uuid}"),
            Self::RegistrationKeys => "registration-keys".to_owned(),
        }
    }
}

impl FromStr for Change {
    type Err = UnknownChange;

    fn from_str(word: &str) -> Result<Self, UnknownChange> {
        let uuid = |text: &str| Uuid::parse_str(text).map_err(|_| UnknownChange);
        match word.split_once(':') {
            Some(("server", id)) => uuid(id).map(Self::Server),
            Some(("realm", id)) => uuid(id).map(Self::Realm),
            None if word == "registration-keys" => Ok(Self::RegistrationKeys),
            _ => Err(UnknownChange),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_node_says_another_understands() {
        for change in [
            Change::Server(Uuid::from_u128(1)),
            Change::Realm(Uuid::from_u128(2)),
            Change::RegistrationKeys,
        ] {
            assert_eq!(change.word().parse(), Ok(change));
        }
        for word in ["", "server:", "realm:x", "brake:1", "registration-keys:1"] {
            assert_eq!(word.parse::<Change>(), Err(UnknownChange), "{word}");
        }
    }
}
