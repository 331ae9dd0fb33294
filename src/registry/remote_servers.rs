//! Registered servers.

use std::{collections::HashMap, sync::Arc};

use entities::{redacted::RedactedBytes, remote_servers};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, TransactionTrait as _,
    sea_query::{IntoCondition, SimpleExpr},
};
use uuid::Uuid;

use super::{
    AuditEvent, Registry, RegistryError,
    announcements::{Change, announce},
    audit_log::{self, AuditEntry},
    plans,
};
use crate::{
    clock::Timestamp,
    domain::remote_server::{KeyHash, PreviousKey, RemoteServer},
};

/// So many servers are read where one is looked for.
const MAX_FOUND: u64 = 20;

/// A server as it registers for the first time.
pub struct NewRemoteServer<'a> {
    /// Its `zulip_org_id`.
    pub uuid: Uuid,
    /// What its key hashes to.
    pub key: KeyHash,
    /// Its host name, lower case.
    pub hostname: &'a str,
    /// Its administrator's e-mail address.
    pub contact_email: &'a str,
    /// Whether it may push without the operator's approval.
    pub approved: bool,
}

/// What a known server changes about itself.
pub struct ServerUpdate<'a> {
    /// Its host name, lower case.
    pub hostname: &'a str,
    /// Its administrator's e-mail address.
    pub contact_email: &'a str,
    /// The new key, and what stays of the old one.
    pub rotation: Option<(KeyHash, PreviousKey)>,
}

/// What a server says of its version; all three are replaced together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionReport {
    /// `ZULIP_VERSION`, at most 128 characters.
    pub version: Option<String>,
    /// The version's merge base, at most 128 characters.
    pub merge_base: Option<String>,
    /// The API feature level.
    pub api_feature_level: Option<i32>,
}

impl Registry {
    /// The server with this id, from memory while what was read cannot have changed for more than a second, and
    /// for a while when the database fails.
    ///
    /// # Errors
    ///
    /// When the database fails, and the server is not known.
    pub async fn find_server(
        &self,
        uuid: Uuid,
    ) -> Result<Option<Arc<RemoteServer>>, RegistryError> {
        let kept = &self.inner.servers;
        if let Some(server) = kept.get(&uuid) {
            return Ok(Some(server));
        }
        let asked = kept.ask(&uuid);
        match self.find_server_now(uuid).await {
            Ok(Some(server)) => {
                let server = Arc::new(server);
                kept.keep(asked, uuid, Arc::clone(&server));
                Ok(Some(server))
            }
            Ok(None) => {
                kept.invalidate(&uuid);
                Ok(None)
            }
            Err(error) => kept.last_known(&uuid).map(Some).ok_or(error),
        }
    }

    /// The server with this id, from the database.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_server_now(&self, uuid: Uuid) -> Result<Option<RemoteServer>, RegistryError> {
        let registry = self.clone();
        let read = move |uuids| {
            let registry = registry.clone();
            async move { registry.servers_with(uuids).await }
        };
        self.inner.servers_asked_for.join(uuid, self.patience(), read).await
    }

    /// The servers with these ids, each in the place of its id.
    async fn servers_with(
        &self,
        uuids: Vec<Uuid>,
    ) -> Vec<Result<Option<RemoteServer>, RegistryError>> {
        let query = remote_servers::Entity::find()
            .filter(remote_servers::Column::Uuid.is_in(uuids.iter().copied()));
        let found = self.ask(|| query.clone().all(&self.inner.database)).await;
        let found: Result<HashMap<Uuid, RemoteServer>, RegistryError> =
            found.map(|rows| rows.into_iter().map(|row| (row.uuid, server(row))).collect());
        let of = |uuid| match &found {
            Ok(found) => Ok(found.get(uuid).cloned()),
            Err(error) => Err(error.clone()),
        };
        uuids.iter().map(of).collect()
    }

    /// Servers whose ids lie between two, both included; at most twenty of them.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_servers_between(
        &self,
        first: Uuid,
        last: Uuid,
    ) -> Result<Vec<RemoteServer>, RegistryError> {
        self.find_servers(remote_servers::Column::Uuid.between(first, last)).await
    }

    /// Servers with this host name, active or not; at most twenty of them.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_servers_at(
        &self,
        hostname: &str,
    ) -> Result<Vec<RemoteServer>, RegistryError> {
        self.find_servers(remote_servers::Column::Hostname.eq(hostname)).await
    }

    async fn find_servers(
        &self,
        condition: impl IntoCondition,
    ) -> Result<Vec<RemoteServer>, RegistryError> {
        let query = remote_servers::Entity::find()
            .filter(condition)
            .order_by_asc(remote_servers::Column::Id)
            .limit(MAX_FOUND);
        let found = self.ask(|| query.clone().all(&self.inner.database)).await;
        found.map(|rows| rows.into_iter().map(server).collect())
    }

    /// Whether an active server other than `uuid` has this host name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn is_hostname_taken(
        &self,
        hostname: &str,
        uuid: Uuid,
    ) -> Result<bool, RegistryError> {
        let query = remote_servers::Entity::find()
            .filter(remote_servers::Column::Hostname.eq(hostname))
            .filter(remote_servers::Column::Deactivated.eq(false))
            .filter(remote_servers::Column::Uuid.ne(uuid))
            .limit(1);
        let found = self.ask(|| query.clone().one(&self.inner.database)).await;
        found.map(|row| row.is_some())
    }

    /// Stores a new server, with an audit row.
    ///
    /// # Errors
    ///
    /// When the database fails; a conflict when another request stored the same id meanwhile.
    pub async fn add_server(&self, new: NewRemoteServer<'_>) -> Result<(), RegistryError> {
        let now = self.inner.clock.now();
        let model = remote_servers::ActiveModel {
            uuid: Set(new.uuid),
            key_hash: Set(RedactedBytes(new.key.expose().to_vec())),
            previous_key_hash: Set(None),
            previous_key_until: Set(None),
            hostname: Set(new.hostname.to_owned()),
            contact_email: Set(new.contact_email.to_owned()),
            version: Set(None),
            merge_base: Set(None),
            api_feature_level: Set(None),
            deactivated: Set(false),
            created_at: Set(now.unix_millis()),
            updated_at: Set(now.unix_millis()),
            last_request_at: Set(Some(now.unix_millis())),
            user_count: Set(0),
            approved: Set(new.approved),
            ..Default::default()
        };
        let stored = async {
            let transaction = self.inner.database.begin().await?;
            let id = remote_servers::Entity::insert(model).exec(&transaction).await?.last_insert_id;
            let created = AuditEntry::of_server(id, AuditEvent::ServerCreated);
            audit_log::note(&transaction, created, now).await?;
            transaction.commit().await
        };
        self.noted(self.carry_out(Box::pin(stored)).await)
    }

    /// Changes a known server; a rotation only as long as its key is still the one in `server`. Says whether
    /// it did.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn update_server(
        &self,
        server: &RemoteServer,
        update: ServerUpdate<'_>,
    ) -> Result<bool, RegistryError> {
        let now = self.inner.clock.now();
        let mut model = remote_servers::ActiveModel {
            hostname: Set(update.hostname.to_owned()),
            contact_email: Set(update.contact_email.to_owned()),
            updated_at: Set(now.unix_millis()),
            last_request_at: Set(Some(now.unix_millis())),
            ..Default::default()
        };
        let mut condition = Condition::all();
        if let Some((key, previous)) = update.rotation {
            condition = condition.add(has_key(server));
            model.key_hash = Set(RedactedBytes(key.expose().to_vec()));
            model.previous_key_hash = Set(Some(RedactedBytes(previous.hash.expose().to_vec())));
            model.previous_key_until = Set(Some(previous.until.unix_millis()));
        }
        self.change_server(server, model, condition).await
    }

    /// Stops accepting a server's previous key: its new one was used. A rotation that came in between is
    /// left alone.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn forget_previous_key(&self, server: &RemoteServer) -> Result<(), RegistryError> {
        let model = remote_servers::ActiveModel {
            previous_key_hash: Set(None),
            previous_key_until: Set(None),
            ..Default::default()
        };
        self.change_server(server, model, has_key(server)).await.map(|_| ())
    }

    async fn change_server(
        &self,
        server: &RemoteServer,
        model: remote_servers::ActiveModel,
        condition: impl IntoCondition,
    ) -> Result<bool, RegistryError> {
        let stored = async {
            let transaction = self.inner.database.begin().await?;
            let changed = remote_servers::Entity::update_many()
                .set(model)
                .filter(remote_servers::Column::Id.eq(server.id))
                .filter(condition)
                .exec(&transaction)
                .await?;
            if changed.rows_affected > 0 {
                announce(&transaction, [Change::Server(server.uuid)]).await?;
            }
            transaction.commit().await?;
            Ok(changed.rows_affected > 0)
        };
        let stored = self.carry_out(Box::pin(stored)).await;
        self.inner.servers.changed(&server.uuid, stored.is_ok());
        self.noted(stored)
    }
}

/// The row's key is still the one that was read.
pub(super) fn has_key(server: &RemoteServer) -> SimpleExpr {
    remote_servers::Column::KeyHash.eq(RedactedBytes(server.key.expose().to_vec()))
}

pub(super) fn server(row: remote_servers::Model) -> RemoteServer {
    // A hash of another length was not written by us; nothing matches all zeros.
    let hash = |bytes: &RedactedBytes| KeyHash::from_stored(&bytes.0);
    RemoteServer {
        id: row.id,
        uuid: row.uuid,
        key: hash(&row.key_hash).unwrap_or(KeyHash::MATCHES_NOTHING),
        previous_key: match (row.previous_key_hash.as_ref().and_then(hash), row.previous_key_until)
        {
            (Some(hash), Some(until)) => {
                Some(PreviousKey { hash, until: Timestamp::from_unix_millis(until) })
            }
            _ => None,
        },
        plan: plans::of_server(&row),
        hostname: row.hostname,
        deactivated: row.deactivated,
        api_feature_level: row.api_feature_level,
        approved: row.approved,
        user_count: row.user_count,
        audit_log_updated_at: row.audit_log_updated_at.map(Timestamp::from_unix_millis),
        transfers: row.transfers,
    }
}
