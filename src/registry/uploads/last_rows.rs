//! Up to which row a server's statistics are stored.

use entities::{installation_counts, realm_audit_log, realm_counts};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait, QueryFilter as _, QuerySelect as _,
    Select,
};

use super::{Registry, RegistryError};
use crate::domain::remote_server::RemoteServer;

/// The largest number of a stored row in each table, 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRows {
    /// Statistics of realms.
    pub realm_count: i64,
    /// Statistics of the server.
    pub installation_count: i64,
    /// What happened on realms.
    pub audit_row: i64,
}

impl Registry {
    /// Up to which row a server's statistics are stored.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn last_rows(&self, server: &RemoteServer) -> Result<LastRows, RegistryError> {
        self.ask(|| read(&self.inner.database, server.id)).await
    }
}

/// One look into each primary key.
pub(super) async fn read<C: ConnectionTrait>(
    connection: &C,
    server_id: i64,
) -> Result<LastRows, DbErr> {
    use {
        installation_counts::Column as InstallationCounts, realm_audit_log::Column as AuditLog,
        realm_counts::Column as RealmCounts,
    };
    let realm_counts = realm_counts::Entity::find()
        .filter(RealmCounts::ServerId.eq(server_id))
        .select_only()
        .column_as(RealmCounts::RemoteId.max(), "last");
    let installation_counts = installation_counts::Entity::find()
        .filter(InstallationCounts::ServerId.eq(server_id))
        .select_only()
        .column_as(InstallationCounts::RemoteId.max(), "last");
    let audit_rows = realm_audit_log::Entity::find()
        .filter(AuditLog::ServerId.eq(server_id))
        .select_only()
        .column_as(AuditLog::RemoteId.max(), "last");
    Ok(LastRows {
        realm_count: largest(connection, realm_counts).await?,
        installation_count: largest(connection, installation_counts).await?,
        audit_row: largest(connection, audit_rows).await?,
    })
}

async fn largest<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    query: Select<E>,
) -> Result<i64, DbErr> {
    let largest: Option<Option<i64>> = query.into_tuple().one(connection).await?;
    Ok(largest.flatten().unwrap_or(0))
}

/// The rows whose number is above `last` and above those of all before them.
pub(super) fn above<T>(mut last: i64, rows: &[T], number: impl Fn(&T) -> i64) -> Vec<&T> {
    let is_new = |row: &&T| {
        let is_new = number(row) > last;
        last = last.max(number(row));
        is_new
    };
    rows.iter().filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_when_its_number_is_above_all_before_it() {
        let numbers = [0, 3, 2, 3, 7, 5, 8];
        assert_eq!(above(2, &numbers, |number| *number), [&3, &7, &8]);
    }
}
