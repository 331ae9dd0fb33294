//! Rows of devices that are gone, and what they still say.

use std::collections::HashMap;

use entities::{devices, e2ee_devices, redacted::RedactedBytes};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _};

use super::{ROWS_PER_STATEMENT, Registry, RegistryError};
use crate::domain::{
    device::{DeviceToken, Provider},
    e2ee_device::TokenId,
    remote_realm::RemoteRealm,
    remote_server::RemoteServer,
};

/// What is known of a device that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// It went by a word that may be our own fault.
    pub in_doubt: bool,
}

impl Registry {
    /// Which of these tokens a server registered and are gone now for all of its users, by their digests.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn tombstones(
        &self,
        server: &RemoteServer,
        provider: Provider,
        tokens: &[DeviceToken],
    ) -> Result<HashMap<[u8; 16], Tombstone>, RegistryError> {
        let mut found: HashMap<[u8; 16], Option<Tombstone>> = HashMap::new();
        for tokens in tokens.chunks(ROWS_PER_STATEMENT) {
            let digests = tokens.iter().map(|token| RedactedBytes(token.digest().to_vec()));
            let query = devices::Entity::find()
                .filter(devices::Column::TokenDigest.is_in(digests))
                .filter(devices::Column::Kind.eq(provider.token_kind()))
                .filter(devices::Column::ServerId.eq(server.id));
            for row in self.ask(|| query.clone().all(&self.inner.database)).await? {
                let Ok(digest) = row.token_digest.0.try_into() else { continue };
                let of_row = row.gone_at.map(|_| Tombstone { in_doubt: row.in_doubt });
                let known = found.entry(digest).or_insert(of_row);
                // A client deletes its copies for all users: one of them alive keeps all, and one in doubt is
                // a doubt about all.
                *known = match (*known, of_row) {
                    (Some(one), Some(other)) => {
                        Some(Tombstone { in_doubt: one.in_doubt || other.in_doubt })
                    }
                    _ => None,
                };
            }
        }
        Ok(found.into_iter().filter_map(|(digest, known)| Some((digest, known?))).collect())
    }

    /// Which of these encrypted devices of a realm are gone: by token ids, and by our own keys.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn e2ee_tombstones(
        &self,
        realm: &RemoteRealm,
        token_ids: &[TokenId],
        device_ids: &[i64],
    ) -> Result<(HashMap<TokenId, Tombstone>, HashMap<i64, Tombstone>), RegistryError> {
        use e2ee_devices::Column;
        let named = Condition::any()
            .add(Column::TokenId.is_in(token_ids.iter().map(|id| id.stored())))
            .add(Column::Id.is_in(device_ids.iter().copied()));
        let query = e2ee_devices::Entity::find()
            .filter(Column::RemoteRealmId.eq(realm.id))
            .filter(Column::ExpiredAt.is_not_null())
            .filter(named);
        let rows = self.ask(|| query.clone().all(&self.inner.database)).await?;
        let (mut by_token, mut by_key) = (HashMap::new(), HashMap::new());
        for row in rows {
            let tombstone = Tombstone { in_doubt: row.in_doubt };
            if let Some(id) = row.token_id {
                by_token.insert(TokenId::from_stored(id), tombstone);
            }
            by_key.insert(row.id, tombstone);
        }
        Ok((by_token, by_key))
    }
}
