//! How many people use realms and servers, kept so that nobody has to read the audit rows to know it.

use std::collections::HashMap;

use entities::{realm_audit_log, realm_user_counts, remote_realms};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, ExprTrait as _,
    QueryFilter as _, QuerySelect as _,
    sea_query::{Alias, Expr, OnConflict, Query},
};
use uuid::Uuid;

use super::ROWS_PER_STATEMENT;
use crate::{clock::Timestamp, domain::statistics::RealmAuditRow};

/// The row that says how many users a realm has.
#[derive(Clone, Copy)]
struct Latest {
    remote_id: i64,
    user_count: i64,
}

/// What is no longer as it was.
pub(super) struct Changed {
    /// Realms whose number of users may have changed.
    pub(super) realms: Vec<Uuid>,
    /// The new number of users of the whole server, if a realm's changed.
    pub(super) total: Option<i64>,
}

/// Counts the users by the latest audit row of each realm that tells them and is not of the future.
///
/// `new` are the rows of this upload. Of those before (up to `last`) only the ones can matter that came due since
/// audit rows were last uploaded.
pub(super) async fn bring_up_to_date(
    transaction: &DatabaseTransaction,
    server_id: i64,
    new: &[&RealmAuditRow],
    last: i64,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Changed, DbErr> {
    let mut latest = HashMap::new();
    if let Some(since) = since {
        for remote_ids in
            come_due(transaction, server_id, last, since, now).await?.chunks(ROWS_PER_STATEMENT)
        {
            latest.extend(told_by(transaction, server_id, remote_ids).await?);
        }
    }
    for row in new.iter().filter(|row| row.event_time <= now) {
        // Their numbers rise.
        if let Some(user_count) = row.user_count {
            latest.insert(row.realm_id, Latest { remote_id: row.remote_id, user_count });
        }
    }
    let latest: Vec<(i64, Latest)> = latest.into_iter().collect();
    let mut realms = Vec::new();
    let mut is_changed = false;
    for latest in latest.chunks(ROWS_PER_STATEMENT) {
        let later = later_than_known(transaction, server_id, latest).await?;
        if later.is_empty() {
            continue;
        }
        is_changed = true;
        let realm_ids: Vec<i64> = later.iter().map(|(realm_id, _)| *realm_id).collect();
        replace(transaction, server_id, later).await?;
        realms.extend(tell_realms(transaction, server_id, &realm_ids).await?);
    }
    let total = if is_changed { Some(total(transaction, server_id).await?) } else { None };
    Ok(Changed { realms, total })
}

/// The numbers of the latest rows of realms that were of the future at `since`.
async fn come_due(
    transaction: &DatabaseTransaction,
    server_id: i64,
    last: i64,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<i64>, DbErr> {
    realm_audit_log::Entity::find()
        .filter(realm_audit_log::Column::ServerId.eq(server_id))
        .filter(realm_audit_log::Column::EventTime.gt(since.unix_millis()))
        .filter(realm_audit_log::Column::EventTime.lte(now.unix_millis()))
        .filter(realm_audit_log::Column::RemoteId.lte(last))
        .filter(realm_audit_log::Column::UserCount.is_not_null())
        .select_only()
        .column_as(realm_audit_log::Column::RemoteId.max(), "latest")
        .group_by(realm_audit_log::Column::RealmId)
        .into_tuple()
        .all(transaction)
        .await
}

/// What stored rows with these numbers tell.
async fn told_by(
    transaction: &DatabaseTransaction,
    server_id: i64,
    remote_ids: &[i64],
) -> Result<impl Iterator<Item = (i64, Latest)> + use<>, DbErr> {
    let rows: Vec<(i64, i64, i64)> = realm_audit_log::Entity::find()
        .filter(realm_audit_log::Column::ServerId.eq(server_id))
        .filter(realm_audit_log::Column::RemoteId.is_in(remote_ids.iter().copied()))
        .filter(realm_audit_log::Column::UserCount.is_not_null())
        .select_only()
        .column(realm_audit_log::Column::RealmId)
        .column(realm_audit_log::Column::RemoteId)
        .column(realm_audit_log::Column::UserCount)
        .into_tuple()
        .all(transaction)
        .await?;
    let latest = |(realm_id, remote_id, user_count)| (realm_id, Latest { remote_id, user_count });
    Ok(rows.into_iter().map(latest))
}

/// Those that come after what is known of their realms.
async fn later_than_known(
    transaction: &DatabaseTransaction,
    server_id: i64,
    latest: &[(i64, Latest)],
) -> Result<Vec<(i64, Latest)>, DbErr> {
    let realm_ids = latest.iter().map(|(realm_id, _)| *realm_id);
    let known: HashMap<i64, i64> = realm_user_counts::Entity::find()
        .filter(realm_user_counts::Column::ServerId.eq(server_id))
        .filter(realm_user_counts::Column::RealmId.is_in(realm_ids))
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| (row.realm_id, row.remote_id))
        .collect();
    let is_later = |(realm_id, latest): &&(i64, Latest)| {
        known.get(realm_id).is_none_or(|known| latest.remote_id > *known)
    };
    Ok(latest.iter().filter(is_later).copied().collect())
}

async fn replace(
    transaction: &DatabaseTransaction,
    server_id: i64,
    later: Vec<(i64, Latest)>,
) -> Result<(), DbErr> {
    let rows = later.into_iter().map(|(realm_id, latest)| realm_user_counts::ActiveModel {
        server_id: Set(server_id),
        realm_id: Set(realm_id),
        remote_id: Set(latest.remote_id),
        user_count: Set(latest.user_count),
    });
    let conflict = OnConflict::columns([
        realm_user_counts::Column::ServerId,
        realm_user_counts::Column::RealmId,
    ])
    .update_columns([realm_user_counts::Column::RemoteId, realm_user_counts::Column::UserCount])
    .to_owned();
    realm_user_counts::Entity::insert_many(rows)
        .on_conflict(conflict)
        .exec_without_returning(transaction)
        .await
        .map(|_| ())
}

/// Writes the numbers into the rows of realms; gives the UUIDs of these.
async fn tell_realms(
    transaction: &DatabaseTransaction,
    server_id: i64,
    realm_ids: &[i64],
) -> Result<Vec<Uuid>, DbErr> {
    let user_count = Query::select()
        .column((realm_user_counts::Entity, realm_user_counts::Column::UserCount))
        .from(realm_user_counts::Entity)
        .and_where(
            Expr::col((realm_user_counts::Entity, realm_user_counts::Column::ServerId))
                .eq(server_id),
        )
        .and_where(
            Expr::col((realm_user_counts::Entity, realm_user_counts::Column::RealmId))
                .eq(Expr::col((remote_realms::Entity, remote_realms::Column::RealmId))),
        )
        .to_owned();
    let are_told = remote_realms::Column::ServerId
        .eq(server_id)
        .and(remote_realms::Column::RealmId.is_in(realm_ids.iter().copied()));
    remote_realms::Entity::update_many()
        .col_expr(remote_realms::Column::UserCount, Expr::from(user_count))
        .filter(are_told.clone())
        .exec(transaction)
        .await?;
    remote_realms::Entity::find()
        .filter(are_told)
        .select_only()
        .column(remote_realms::Column::Uuid)
        .into_tuple()
        .all(transaction)
        .await
}

/// How many users all realms of a server have together.
async fn total(transaction: &DatabaseTransaction, server_id: i64) -> Result<i64, DbErr> {
    // PostgreSQL adds 64-bit numbers up to a number of another type.
    let sum = realm_user_counts::Column::UserCount.sum().cast_as(Alias::new("bigint"));
    let total: Option<Option<i64>> = realm_user_counts::Entity::find()
        .filter(realm_user_counts::Column::ServerId.eq(server_id))
        .select_only()
        .column_as(sum, "total")
        .into_tuple()
        .one(transaction)
        .await?;
    Ok(total.flatten().unwrap_or(0))
}

/// How many users the realms with these numbers have, as far as it is known.
pub(super) async fn known(
    transaction: &DatabaseTransaction,
    server_id: i64,
    realm_ids: impl Iterator<Item = i64>,
) -> Result<HashMap<i64, i64>, DbErr> {
    let rows = realm_user_counts::Entity::find()
        .filter(realm_user_counts::Column::ServerId.eq(server_id))
        .filter(realm_user_counts::Column::RealmId.is_in(realm_ids))
        .all(transaction)
        .await?;
    Ok(rows.into_iter().map(|row| (row.realm_id, row.user_count)).collect())
}
