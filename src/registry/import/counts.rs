//! Counts of another bouncer: those that servers uploaded, and pushes.

use entities::{installation_counts, push_counts, realm_counts};
use sea_orm::{
    ActiveValue::Set,
    DatabaseTransaction, DbErr, EntityTrait as _, ExprTrait as _,
    sea_query::{Expr, OnConflict},
};

use super::{GrowingTable, ROWS_PER_STATEMENT, Storing, rows::move_on};
use crate::{
    clock::Timestamp,
    domain::statistics::Count,
    registry::{Registry, RegistryError},
};

/// A count that a server uploaded.
pub struct ImportedCount {
    /// Our key of the server.
    pub server_id: i64,
    /// The number of the realm on it; nothing for the server as a whole.
    pub realm_id: Option<i64>,
    /// Our key of the realm, if it is known.
    pub remote_realm_id: Option<i64>,
    /// What was counted.
    pub count: Count,
}

/// Pushes of a day, as the other bouncer counted them: those asked for, or those accepted.
#[derive(Clone, Copy)]
pub struct ImportedPushCount {
    /// Our key of the server.
    pub server_id: i64,
    /// Our key of the realm; 0 for the server as a whole.
    pub remote_realm_id: i64,
    /// The end of the day.
    pub end_time: Timestamp,
    /// Whether they were accepted.
    pub is_forwarded: bool,
    /// How many.
    pub value: i64,
}

impl Registry {
    /// Stores counts, and notes how far the source was read.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was stored then.
    pub async fn import_counts(
        &self,
        table: GrowingTable,
        counts: &[ImportedCount],
        pushes: &[ImportedPushCount],
        last_id: Option<i64>,
    ) -> Result<(), RegistryError> {
        self.import_batch(Storing::Yes, async |transaction| {
            let (of_realms, of_servers): (Vec<_>, Vec<_>) =
                counts.iter().partition(|count| count.realm_id.is_some());
            store_of_realms(transaction, &of_realms).await?;
            store_of_servers(transaction, &of_servers).await?;
            for is_forwarded in [false, true] {
                let rows = pushes.iter().filter(|count| count.is_forwarded == is_forwarded);
                store_pushes(transaction, is_forwarded, rows.copied().collect()).await?;
            }
            match last_id {
                Some(last_id) => move_on(transaction, table, last_id).await,
                None => Ok(()),
            }
        })
        .await
    }
}

async fn store_of_realms(
    transaction: &DatabaseTransaction,
    rows: &[&ImportedCount],
) -> Result<(), DbErr> {
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let models = rows.iter().map(|row| realm_counts::ActiveModel {
            server_id: Set(row.server_id),
            remote_id: Set(row.count.remote_id),
            realm_id: Set(row.realm_id.unwrap_or_default()),
            remote_realm_id: Set(row.remote_realm_id),
            property: Set(row.count.property.name().to_owned()),
            subgroup: Set(row.count.subgroup.to_string()),
            end_time: Set(row.count.end_time.unix_millis()),
            value: Set(row.count.value),
        });
        realm_counts::Entity::insert_many(models)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

async fn store_of_servers(
    transaction: &DatabaseTransaction,
    rows: &[&ImportedCount],
) -> Result<(), DbErr> {
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let models = rows.iter().map(|row| installation_counts::ActiveModel {
            server_id: Set(row.server_id),
            remote_id: Set(row.count.remote_id),
            property: Set(row.count.property.name().to_owned()),
            subgroup: Set(row.count.subgroup.to_string()),
            end_time: Set(row.count.end_time.unix_millis()),
            value: Set(row.count.value),
        });
        installation_counts::Entity::insert_many(models)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Of a day that both bouncers counted the greater number stands.
async fn store_pushes(
    transaction: &DatabaseTransaction,
    is_forwarded: bool,
    mut rows: Vec<ImportedPushCount>,
) -> Result<(), DbErr> {
    use push_counts::{ActiveModel, Column, Entity};
    let column = if is_forwarded { Column::Forwarded } else { Column::Received };
    // A statement changes no row twice, and the service writes in the same order.
    let day = |row: &ImportedPushCount| (row.server_id, row.remote_realm_id, row.end_time);
    rows.sort_by_key(|row| (day(row), row.value));
    rows.reverse();
    rows.dedup_by_key(|row| day(row));
    rows.reverse();
    let is_greater = Expr::col((Entity, column)).lt(Expr::col(("excluded", column)));
    let conflict = OnConflict::columns([Column::ServerId, Column::RemoteRealmId, Column::EndTime])
        .update_column(column)
        .action_and_where(is_greater)
        .to_owned();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let models = rows.iter().map(|row| ActiveModel {
            server_id: Set(row.server_id),
            remote_realm_id: Set(row.remote_realm_id),
            end_time: Set(row.end_time.unix_millis()),
            received: Set(if is_forwarded { 0 } else { row.value }),
            forwarded: Set(if is_forwarded { row.value } else { 0 }),
        });
        Entity::insert_many(models)
            .on_conflict(conflict.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}
