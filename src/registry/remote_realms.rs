//! Organizations on registered servers.

use std::{collections::HashMap, sync::Arc};

use entities::remote_realms;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::{ROWS_PER_STATEMENT, Registry, RegistryError, plans};
use crate::domain::remote_realm::RemoteRealm;

impl Registry {
    /// The realm with this UUID, on whichever server it is; from memory as servers are.
    ///
    /// # Errors
    ///
    /// When the database fails, and nothing is known of the realm.
    pub async fn find_realm(&self, uuid: Uuid) -> Result<Option<Arc<RemoteRealm>>, RegistryError> {
        let kept = &self.inner.realms;
        if let Some(known) = kept.get(&uuid) {
            return Ok(known);
        }
        let asked = kept.ask(&uuid);
        match self.find_realm_now(uuid).await {
            Ok(found) => {
                let found = found.map(Arc::new);
                kept.keep(asked, uuid, found.clone());
                Ok(found)
            }
            Err(error) => kept.last_known(&uuid).ok_or(error),
        }
    }

    /// The realm with this UUID, from the database.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find_realm_now(&self, uuid: Uuid) -> Result<Option<RemoteRealm>, RegistryError> {
        let registry = self.clone();
        let read = move |uuids: Vec<Uuid>| {
            let registry = registry.clone();
            async move {
                let found: Result<HashMap<Uuid, RemoteRealm>, RegistryError> = registry
                    .realms_with(&uuids)
                    .await
                    .map(|realms| realms.into_iter().map(|realm| (realm.uuid, realm)).collect());
                let of = |uuid| match &found {
                    Ok(found) => Ok(found.get(uuid).cloned()),
                    Err(error) => Err(error.clone()),
                };
                uuids.iter().map(of).collect()
            }
        };
        self.inner.realms_asked_for.join(uuid, self.patience(), read).await
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
