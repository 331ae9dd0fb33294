//! Organizations on registered servers.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use entities::{remote_realms, remote_servers};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    QueryFilter as _, TransactionTrait as _,
};
use uuid::Uuid;

use super::{Registry, RegistryError, VersionReport, plans};
use crate::{
    clock::Timestamp,
    domain::{
        remote_realm::{RealmDescription, RemoteRealm},
        remote_server::RemoteServer,
    },
};

/// Rows of one statement: the widest row binds 13 values, SQLite takes 32,766 in all.
const ROWS_PER_STATEMENT: usize = 1000;

/// Why a server's realms were not stored.
#[derive(Debug, thiserror::Error)]
pub enum SynchronisationError {
    /// One of them is registered with another server, or named twice.
    #[error("a realm is registered with another server, or named twice")]
    Duplicate,
    /// The database failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl From<DbErr> for SynchronisationError {
    fn from(error: DbErr) -> Self {
        Self::Registry(error.into())
    }
}

impl Registry {
    /// The realm with this UUID, on whichever server it is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_realm(&self, uuid: Uuid) -> Result<Option<Arc<RemoteRealm>>, RegistryError> {
        if let Some(known) = self.inner.realms.get(&uuid) {
            return Ok(known);
        }
        let asked = self.inner.realms.ask(&uuid);
        let found = self.find_realm_now(uuid).await?.map(Arc::new);
        self.inner.realms.keep(asked, uuid, found.clone());
        Ok(found)
    }

    /// The realm with this UUID, from the database.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_realm_now(&self, uuid: Uuid) -> Result<Option<RemoteRealm>, RegistryError> {
        let query = remote_realms::Entity::find().filter(remote_realms::Column::Uuid.eq(uuid));
        let found = self.ask(|| query.clone().one(&self.inner.database)).await;
        found.map(|row| row.as_ref().map(realm))
    }

    /// Stores what a server says of its version and, when it names them, of its realms; all or nothing.
    ///
    /// Realms of the server that are missing in the list are marked as locally deleted, and so on:
    /// the labels never keep a push from being sent.
    ///
    /// # Errors
    ///
    /// When a realm belongs to another server, or the database fails.
    pub async fn synchronise(
        &self,
        server: &RemoteServer,
        version: VersionReport,
        realms: Option<&[RealmDescription]>,
    ) -> Result<(), SynchronisationError> {
        let now = self.inner.clock.now();
        let transaction = self.inner.database.begin().await?;
        // Taken first: uploads of one server come one after the other.
        remote_servers::Entity::update_many()
            .set(remote_servers::ActiveModel {
                version: Set(version.version),
                merge_base: Set(version.merge_base),
                api_feature_level: Set(version.api_feature_level),
                ..Default::default()
            })
            .filter(remote_servers::Column::Id.eq(server.id))
            .exec(&transaction)
            .await?;
        if let Some(realms) = realms {
            synchronise_realms(&transaction, server, realms, now).await?;
        }
        transaction.commit().await.map_err(|error| {
            let error = RegistryError(error);
            if error.is_conflict() { SynchronisationError::Duplicate } else { error.into() }
        })?;
        self.inner.servers.invalidate(&server.uuid);
        for realm in realms.unwrap_or_default() {
            self.inner.realms.invalidate(&realm.uuid);
        }
        Ok(())
    }
}

fn realm(row: &remote_realms::Model) -> RemoteRealm {
    RemoteRealm {
        id: row.id,
        server_id: row.server_id,
        uuid: row.uuid,
        plan: plans::of_realm(row),
        user_count: row.user_count,
    }
}

async fn synchronise_realms(
    transaction: &DatabaseTransaction,
    server: &RemoteServer,
    realms: &[RealmDescription],
    now: Timestamp,
) -> Result<(), SynchronisationError> {
    let mut named = HashSet::with_capacity(realms.len());
    if !realms.iter().all(|realm| named.insert(realm.uuid)) {
        return Err(SynchronisationError::Duplicate);
    }
    let known: HashMap<Uuid, remote_realms::Model> = remote_realms::Entity::find()
        .filter(remote_realms::Column::ServerId.eq(server.id))
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| (row.uuid, row))
        .collect();
    let mut new = Vec::new();
    for realm in realms {
        match known.get(&realm.uuid) {
            None => new.push(created(server, realm, now)),
            Some(row) => {
                if let Some(changed) = changed(row, realm) {
                    remote_realms::Entity::update_many()
                        .set(changed)
                        .filter(remote_realms::Column::Id.eq(row.id))
                        .exec(transaction)
                        .await?;
                }
            }
        }
    }
    for rows in new.chunks(ROWS_PER_STATEMENT) {
        let inserted = remote_realms::Entity::insert_many(rows.to_vec())
            .exec_without_returning(transaction)
            .await;
        if let Err(error) = inserted {
            let error = RegistryError(error);
            return Err(if error.is_conflict() {
                SynchronisationError::Duplicate
            } else {
                error.into()
            });
        }
    }
    let missing: Vec<i64> = known
        .values()
        .filter(|row| !row.locally_deleted && !named.contains(&row.uuid))
        .map(|row| row.id)
        .collect();
    for ids in missing.chunks(ROWS_PER_STATEMENT) {
        remote_realms::Entity::update_many()
            .set(remote_realms::ActiveModel { locally_deleted: Set(true), ..Default::default() })
            .filter(remote_realms::Column::Id.is_in(ids.iter().copied()))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

fn created(
    server: &RemoteServer,
    realm: &RealmDescription,
    now: Timestamp,
) -> remote_realms::ActiveModel {
    remote_realms::ActiveModel {
        server_id: Set(server.id),
        uuid: Set(realm.uuid),
        realm_id: Set(realm.realm_id),
        host: Set(realm.host.clone()),
        name: Set(realm.name.clone()),
        org_type: Set(realm.org_type),
        authentication_methods: Set(realm.authentication_methods.clone()),
        is_system_bot_realm: Set(realm.is_system_bot_realm),
        deactivated: Set(realm.deactivated),
        locally_deleted: Set(false),
        date_created: Set(realm.date_created.unix_millis()),
        created_at: Set(now.unix_millis()),
        last_request_at: Set(None),
        user_count: Set(0),
        ..Default::default()
    }
}

/// What a known realm's row must become; `None` when it is so already. The realm's number and the day
/// it was created never change.
fn changed(
    row: &remote_realms::Model,
    realm: &RealmDescription,
) -> Option<remote_realms::ActiveModel> {
    let is_same = row.host == realm.host
        && row.name == realm.name
        && row.org_type == realm.org_type
        && row.authentication_methods == realm.authentication_methods
        && row.is_system_bot_realm == realm.is_system_bot_realm
        && row.deactivated == realm.deactivated
        && !row.locally_deleted;
    (!is_same).then(|| remote_realms::ActiveModel {
        host: Set(realm.host.clone()),
        name: Set(realm.name.clone()),
        org_type: Set(realm.org_type),
        authentication_methods: Set(realm.authentication_methods.clone()),
        is_system_bot_realm: Set(realm.is_system_bot_realm),
        deactivated: Set(realm.deactivated),
        locally_deleted: Set(false),
        ..Default::default()
    })
}
