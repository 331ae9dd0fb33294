//! Storing what a server uploads about itself: all of it in one transaction, or nothing.

mod audit_rows;
mod backfill;
mod counts;
mod last_rows;
mod realm_keys;
mod realms;
mod turns;
mod user_counts;

use std::time::Duration;

use entities::remote_servers;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    QueryFilter as _, TransactionTrait as _, sea_query::Expr,
};
use uuid::Uuid;

use super::{
    ROWS_PER_STATEMENT, Registry, RegistryError, VersionReport,
    announcements::{Change, announce},
};
use crate::{
    clock::Timestamp,
    domain::{
        remote_realm::RealmDescription,
        remote_server::RemoteServer,
        statistics::{Count, RealmAuditRow, RealmCount},
    },
};

pub use last_rows::LastRows;
use realm_keys::RealmKeys;
pub(super) use turns::Turns;

/// An upload holds its server's row, on SQLite the whole database, for no longer than this, the wait for its
/// turn included. Servers wait 90 s for the answer; one of the usual size takes less than a second.
const STORED_WITHIN: Duration = Duration::from_secs(60);

/// What a server uploads at once.
pub struct Upload {
    /// The version; absent fields erase what was stored, as in the reference.
    pub version: VersionReport,
    /// All realms of the server, when it names them.
    pub realms: Option<Vec<RealmDescription>>,
    /// Statistics of realms.
    pub realm_counts: Vec<RealmCount>,
    /// Statistics of the server.
    pub installation_counts: Vec<Count>,
    /// What happened on realms, when the server tells it; even an empty list is news.
    pub audit_rows: Option<Vec<RealmAuditRow>>,
}

/// Why an upload was not stored.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A realm is registered with another server, or named twice.
    #[error("a realm is registered with another server, or named twice")]
    Duplicate,
    /// The database failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<DbErr> for UploadError {
    fn from(error: DbErr) -> Self {
        Self::Registry(error.into())
    }
}

impl Registry {
    /// Stores an upload; all or nothing.
    ///
    /// Realms of the server that are missing in the list are marked as locally deleted, and so on: the labels
    /// never keep a push from being sent. Rows whose number is not above the largest one stored, or the
    /// previous one of the list, are passed over: a server that was restored from a backup goes on.
    ///
    /// # Errors
    ///
    /// When a realm belongs to another server, or the database fails.
    pub async fn synchronise(
        &self,
        server: &RemoteServer,
        upload: &Upload,
    ) -> Result<(), UploadError> {
        // Who is dropped rolls back.
        let stored = self.within(
            STORED_WITHIN,
            Box::pin(async {
                let _turn = self.inner.upload_turns.take().await;
                self.store(server, upload).await
            }),
        );
        let stored = stored.await;
        // Also when it failed: the answer to a commit that was carried out may have been lost.
        self.inner.servers.changed(&server.uuid, stored.is_ok());
        for realm in upload.realms.iter().flatten() {
            self.inner.realms.changed(&realm.uuid, stored.is_ok());
        }
        for uuid in stored.inspect_err(|error| {
            if matches!(error, UploadError::Registry(_)) {
                self.inner.metrics.database_errors.inc();
            }
        })? {
            self.inner.realms.invalidate(&uuid);
        }
        Ok(())
    }

    /// The UUIDs of realms whose number of users changed.
    async fn store(
        &self,
        server: &RemoteServer,
        upload: &Upload,
    ) -> Result<Vec<Uuid>, UploadError> {
        let now = self.inner.clock.now();
        let transaction = self.inner.database.begin().await?;
        let known = lock(&transaction, server.id).await?;
        let mut keys = RealmKeys::of(server.id);
        if let Some(realms) = &upload.realms {
            realms::synchronise(&transaction, server.id, realms, &mut keys, now).await?;
        }
        let version = &upload.version;
        if known.version != version.version
            || known.merge_base != version.merge_base
            || known.api_feature_level != version.api_feature_level
        {
            backfill::name_realms(&transaction, server.id).await?;
        }
        let last = last_rows::read(&transaction, server.id).await?;
        let above = last.realm_count;
        counts::store_of_realms(&transaction, server, &upload.realm_counts, above, &mut keys)
            .await?;
        let above = last.installation_count;
        counts::store_of_installation(&transaction, server, &upload.installation_counts, above)
            .await?;
        let rows = upload.audit_rows.as_deref().unwrap_or_default();
        let rows = last_rows::above(last.audit_row, rows, |row| row.remote_id);
        audit_rows::store(&transaction, server, &rows, &mut keys).await?;
        let since = known.audit_log_updated_at.map(Timestamp::from_unix_millis);
        let changed = user_counts::bring_up_to_date(
            &transaction,
            server.id,
            &rows,
            last.audit_row,
            since,
            now,
        )
        .await?;
        let mut model = remote_servers::ActiveModel {
            version: Set(version.version.clone()),
            merge_base: Set(version.merge_base.clone()),
            api_feature_level: Set(version.api_feature_level),
            ..Default::default()
        };
        if upload.audit_rows.is_some() {
            model.audit_log_updated_at = Set(Some(now.unix_millis()));
        }
        if let Some(total) = changed.total {
            model.user_count = Set(total);
        }
        remote_servers::Entity::update_many()
            .set(model)
            .filter(remote_servers::Column::Id.eq(server.id))
            .exec(&transaction)
            .await?;
        let uploaded = upload.realms.iter().flatten().map(|realm| realm.uuid);
        let realms = uploaded.chain(changed.realms.iter().copied()).map(Change::Realm);
        announce(&transaction, realms.chain([Change::Server(server.uuid)])).await?;
        transaction.commit().await?;
        Ok(changed.realms)
    }
}

/// The server's row, which nobody else changes until the end: uploads of one server come one after the other,
/// and SQLite learns at once that the transaction writes.
async fn lock(
    transaction: &DatabaseTransaction,
    server_id: i64,
) -> Result<remote_servers::Model, DbErr> {
    let unchanged = Expr::col(remote_servers::Column::UserCount);
    remote_servers::Entity::update_many()
        .col_expr(remote_servers::Column::UserCount, unchanged)
        .filter(remote_servers::Column::Id.eq(server_id))
        .exec(transaction)
        .await?;
    let row = remote_servers::Entity::find_by_id(server_id).one(transaction).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the server is no longer registered".to_owned()))
}

fn warn_of_dropped(server: &RemoteServer, table: &'static str, rows: usize, stored: u64) {
    let dropped = (rows as u64).saturating_sub(stored);
    if dropped > 0 {
        tracing::warn!(
            event = "analytics.rows_dropped",
            server = %server.uuid,
            table,
            dropped,
            "a server uploaded rows that were stored under other numbers before"
        );
    }
}
