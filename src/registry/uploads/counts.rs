//! Statistics of realms and servers.

use entities::{installation_counts, realm_counts};
use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait as _, sea_query::OnConflict,
};

use super::{ROWS_PER_STATEMENT, RealmKeys, last_rows::above, warn_of_dropped};
use crate::domain::{
    remote_server::RemoteServer,
    statistics::{Count, RealmCount},
};

/// Stores the rows above `last`; those whose content is stored under another number are left out.
pub(super) async fn store_of_realms(
    transaction: &DatabaseTransaction,
    server: &RemoteServer,
    rows: &[RealmCount],
    last: i64,
    keys: &mut RealmKeys,
) -> Result<(), DbErr> {
    let rows = above(last, rows, |row| row.count.remote_id);
    let mut stored = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        keys.look_up(transaction, rows.iter().map(|row| row.realm_id)).await?;
        let models = rows.iter().map(|RealmCount { realm_id, count }| realm_counts::ActiveModel {
            server_id: Set(server.id),
            remote_id: Set(count.remote_id),
            realm_id: Set(*realm_id),
            remote_realm_id: Set(keys.get(*realm_id)),
            property: Set(count.property.name().to_owned()),
            subgroup: Set(count.subgroup.to_string()),
            end_time: Set(count.end_time.unix_millis()),
            value: Set(count.value),
        });
        stored += realm_counts::Entity::insert_many(models)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    warn_of_dropped(server, "realm_counts", rows.len(), stored);
    Ok(())
}

/// The same for the server as a whole.
pub(super) async fn store_of_installation(
    transaction: &DatabaseTransaction,
    server: &RemoteServer,
    rows: &[Count],
    last: i64,
) -> Result<(), DbErr> {
    let rows = above(last, rows, |row| row.remote_id);
    let mut stored = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let models = rows.iter().map(|count| installation_counts::ActiveModel {
            server_id: Set(server.id),
            remote_id: Set(count.remote_id),
            property: Set(count.property.name().to_owned()),
            subgroup: Set(count.subgroup.to_string()),
            end_time: Set(count.end_time.unix_millis()),
            value: Set(count.value),
        });
        stored += installation_counts::Entity::insert_many(models)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    warn_of_dropped(server, "installation_counts", rows.len(), stored);
    Ok(())
}
