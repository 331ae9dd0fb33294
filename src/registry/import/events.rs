//! Events on realms, as servers uploaded them to another bouncer, and how many users that makes.

use std::collections::HashMap;

use entities::{realm_audit_log, realm_user_counts, remote_realms, remote_servers};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    ExprTrait as _,
    sea_query::{Expr, OnConflict, Query},
};

use super::{GrowingTable, ROWS_PER_STATEMENT, Storing, rows::move_on};
use crate::{
    domain::statistics::RealmAuditRow,
    registry::{Registry, RegistryError},
};

/// An event on a realm.
pub struct ImportedEvent {
    /// Our key of the server.
    pub server_id: i64,
    /// Our key of the realm, if it is known.
    pub remote_realm_id: Option<i64>,
    /// What happened.
    pub event: RealmAuditRow,
}

impl Registry {
    /// Stores events, and notes how far the source was read.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was stored then.
    pub async fn import_events(
        &self,
        events: &[ImportedEvent],
        last_id: i64,
    ) -> Result<(), RegistryError> {
        self.import_batch(Storing::Yes, async |transaction| {
            for rows in events.chunks(ROWS_PER_STATEMENT) {
                let models =
                    rows.iter().map(|ImportedEvent { server_id, remote_realm_id, event }| {
                        realm_audit_log::ActiveModel {
                            server_id: Set(*server_id),
                            remote_id: Set(event.remote_id),
                            realm_id: Set(event.realm_id),
                            remote_realm_id: Set(*remote_realm_id),
                            event_type: Set(event.event.number()),
                            event_time: Set(event.event_time.unix_millis()),
                            backfilled: Set(event.backfilled),
                            extra_data: Set(event.extra_data.to_string()),
                            user_count: Set(event.user_count),
                        }
                    });
                realm_audit_log::Entity::insert_many(models)
                    .on_conflict(OnConflict::new().do_nothing().to_owned())
                    .exec_without_returning(transaction)
                    .await?;
            }
            count_users(transaction, events, self.inner.clock.now().unix_millis()).await?;
            move_on(transaction, GrowingTable::RealmEvents, last_id).await
        })
        .await
    }

    /// Writes the numbers of users into the rows of realms and servers.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn import_user_counts(&self) -> Result<(), RegistryError> {
        use realm_user_counts::Column::{RealmId, ServerId, UserCount};
        let column = |column| Expr::col((realm_user_counts::Entity, column));
        let of_realm = Query::select()
            .expr(column(UserCount))
            .from(realm_user_counts::Entity)
            .and_where(
                column(ServerId)
                    .eq(Expr::col((remote_realms::Entity, remote_realms::Column::ServerId))),
            )
            .and_where(
                column(RealmId)
                    .eq(Expr::col((remote_realms::Entity, remote_realms::Column::RealmId))),
            )
            .to_owned();
        let realms = Query::update()
            .table(remote_realms::Entity)
            .value(remote_realms::Column::UserCount, Expr::from(of_realm.clone()))
            .and_where(
                Expr::col((remote_realms::Entity, remote_realms::Column::UserCount))
                    .ne(Expr::from(of_realm)),
            )
            .to_owned();
        let of_server = Query::select()
            .expr(column(UserCount).sum().cast_as("bigint"))
            .from(realm_user_counts::Entity)
            .and_where(
                column(ServerId)
                    .eq(Expr::col((remote_servers::Entity, remote_servers::Column::Id))),
            )
            .to_owned();
        let servers = Query::update()
            .table(remote_servers::Entity)
            .value(remote_servers::Column::UserCount, Expr::from(of_server.clone()))
            .and_where(
                Expr::col((remote_servers::Entity, remote_servers::Column::UserCount))
                    .ne(Expr::from(of_server)),
            )
            .to_owned();
        self.import_batch(Storing::Yes, async |transaction| {
            transaction.execute(&realms).await?;
            transaction.execute(&servers).await?;
            Ok(())
        })
        .await
    }
}

/// The latest event that tells the number of users counts.
async fn count_users(
    transaction: &DatabaseTransaction,
    events: &[ImportedEvent],
    now: i64,
) -> Result<(), DbErr> {
    use realm_user_counts::{ActiveModel, Column, Entity};
    let mut latest: HashMap<(i64, i64), (i64, i64)> = HashMap::new();
    for ImportedEvent { server_id, event, .. } in events {
        let Some(users) = event.user_count else { continue };
        if event.event_time.unix_millis() > now {
            continue;
        }
        let known = latest.entry((*server_id, event.realm_id)).or_insert((event.remote_id, users));
        *known = (*known).max((event.remote_id, users));
    }
    let mut latest: Vec<_> = latest.into_iter().collect();
    latest.sort_unstable();
    let is_later = Column::RemoteId.into_expr().lt(Expr::col(("excluded", Column::RemoteId)));
    let conflict = OnConflict::columns([Column::ServerId, Column::RealmId])
        .update_columns([Column::RemoteId, Column::UserCount])
        .action_and_where(is_later)
        .to_owned();
    for rows in latest.chunks(ROWS_PER_STATEMENT) {
        let models = rows.iter().map(|((server_id, realm_id), (remote_id, users))| ActiveModel {
            server_id: Set(*server_id),
            realm_id: Set(*realm_id),
            remote_id: Set(*remote_id),
            user_count: Set(*users),
        });
        Entity::insert_many(models)
            .on_conflict(conflict.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}
