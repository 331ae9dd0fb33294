//! What happened on realms.

use entities::realm_audit_log;
use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait as _, sea_query::OnConflict,
};

use super::{ROWS_PER_STATEMENT, RealmKeys, warn_of_dropped};
use crate::domain::{remote_server::RemoteServer, statistics::RealmAuditRow};

/// Stores new rows.
pub(super) async fn store(
    transaction: &DatabaseTransaction,
    server: &RemoteServer,
    rows: &[&RealmAuditRow],
    keys: &mut RealmKeys,
) -> Result<(), DbErr> {
    let mut stored = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        keys.look_up(transaction, rows.iter().map(|row| row.realm_id)).await?;
        let models = rows.iter().map(|row| realm_audit_log::ActiveModel {
            server_id: Set(server.id),
            remote_id: Set(row.remote_id),
            realm_id: Set(row.realm_id),
            remote_realm_id: Set(keys.get(row.realm_id)),
            event_type: Set(row.event.number()),
            event_time: Set(row.event_time.unix_millis()),
            backfilled: Set(row.backfilled),
            extra_data: Set(row.extra_data.to_string()),
            user_count: Set(row.user_count),
        });
        stored += realm_audit_log::Entity::insert_many(models)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    warn_of_dropped(server, "realm_audit_log", rows.len(), stored);
    Ok(())
}
