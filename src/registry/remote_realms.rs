//! Organizations on registered servers.

use std::sync::Arc;

use entities::remote_realms;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::{ROWS_PER_STATEMENT, Registry, RegistryError, plans};
use crate::domain::remote_realm::RemoteRealm;

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

    /// The realms with these UUIDs, from the database.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn realms_with(&self, uuids: &[Uuid]) -> Result<Vec<RemoteRealm>, RegistryError> {
        let mut realms = Vec::with_capacity(uuids.len());
        for uuids in uuids.chunks(ROWS_PER_STATEMENT) {
            let query = remote_realms::Entity::find()
                .filter(remote_realms::Column::Uuid.is_in(uuids.iter().copied()));
            let rows = self.ask(|| query.clone().all(&self.inner.database)).await?;
            realms.extend(rows.iter().map(realm));
        }
        Ok(realms)
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
