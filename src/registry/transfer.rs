//! A registration that a new installation takes over.

use entities::{redacted::RedactedBytes, remote_servers};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, TransactionTrait as _, sea_query::NullOrdering,
};

use super::{
    AuditEvent, Registry, RegistryError,
    announcements::{Change, announce},
    audit_log::{self, AuditEntry},
    remote_servers::{has_key, server},
};
use crate::domain::remote_server::{KeyHash, RemoteServer};

impl Registry {
    /// The active server with this host name; of several the one that made the last request (a few seconds
    /// may be missing), then the newest.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_active_server(
        &self,
        hostname: &str,
    ) -> Result<Option<RemoteServer>, RegistryError> {
        let last_request = remote_servers::Column::LastRequestAt;
        let query = remote_servers::Entity::find()
            .filter(remote_servers::Column::Hostname.eq(hostname))
            .filter(remote_servers::Column::Deactivated.eq(false))
            .order_by_with_nulls(last_request, Order::Desc, NullOrdering::Last)
            .order_by_desc(remote_servers::Column::Id)
            .limit(1);
        let found = self.ask(|| query.clone().one(&self.inner.database)).await;
        found.map(|row| row.map(server))
    }

    /// Gives an active server another key, with an audit row; the one it had and the one before that are
    /// dead at once. Says whether it did: not when the server was changed since it was read.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn transfer_server(
        &self,
        server: &RemoteServer,
        key: &KeyHash,
    ) -> Result<bool, RegistryError> {
        let now = self.inner.clock.now();
        let model = remote_servers::ActiveModel {
            key_hash: Set(RedactedBytes(key.expose().to_vec())),
            previous_key_hash: Set(None),
            previous_key_until: Set(None),
            updated_at: Set(now.unix_millis()),
            transfers: Set(server.transfers.wrapping_add(1)),
            ..Default::default()
        };
        let stored = async {
            let transaction = self.inner.database.begin().await?;
            let changed = remote_servers::Entity::update_many()
                .set(model)
                .filter(remote_servers::Column::Id.eq(server.id))
                .filter(remote_servers::Column::Hostname.eq(server.hostname.as_str()))
                .filter(remote_servers::Column::Deactivated.eq(false))
                .filter(has_key(server))
                .filter(remote_servers::Column::Transfers.eq(server.transfers))
                .exec(&transaction)
                .await?;
            if changed.rows_affected == 0 {
                transaction.rollback().await?;
                return Ok(false);
            }
            let transferred = AuditEntry::of_server(server.id, AuditEvent::ServerTransferred);
            audit_log::note(&transaction, transferred, now).await?;
            announce(&transaction, [Change::Server(server.uuid)]).await?;
            transaction.commit().await?;
            Ok(true)
        };
        let stored = self.carry_out(Box::pin(stored)).await;
        // Also after a failure: it may have come behind the commit.
        self.inner.servers.changed(&server.uuid, stored.is_ok());
        self.noted(stored)
    }
}
