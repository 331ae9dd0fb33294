//! Key pairs that phones seal their registrations for, their private halves as they are sealed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entities::{redacted::RedactedBytes, registration_key_uses, registration_keys};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, TransactionTrait as _,
    sea_query::{Expr, OnConflict},
};

use super::{
    Registry, RegistryError,
    announcements::{Change, announce},
};
use crate::clock::Timestamp;

/// The length of a public key, in bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// Uses are looked at over this time; phones register again after 30 days (protocol, 5.6).
pub const USES_PERIOD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A key pair as stored. It does not print itself.
pub struct StoredKey {
    /// Our own key of the row.
    pub id: i64,
    /// The public key.
    pub public_key: [u8; PUBLIC_KEY_BYTES],
    /// The private key under the operator's secret.
    pub sealed_private_key: Vec<u8>,
    /// When it was made or moved here.
    pub created_at: Timestamp,
    /// Since when it is not used any more.
    pub retired_at: Option<Timestamp>,
}

impl Registry {
    /// All keys, oldest first, from memory as servers are.
    ///
    /// # Errors
    ///
    /// When the database fails, and they are not known.
    pub async fn registration_keys(&self) -> Result<Arc<[StoredKey]>, RegistryError> {
        let kept = &self.inner.registration_keys;
        if let Some(keys) = kept.get(&()) {
            return Ok(keys);
        }
        let asked = kept.ask(&());
        let query = registration_keys::Entity::find().order_by_asc(registration_keys::Column::Id);
        match self.ask(|| query.clone().all(&self.inner.database)).await {
            Ok(rows) => {
                let keys: Arc<[StoredKey]> = rows.into_iter().filter_map(key).collect();
                kept.keep(asked, (), Arc::clone(&keys));
                Ok(keys)
            }
            Err(error) => kept.last_known(&()).ok_or(error),
        }
    }

    /// Stores a key pair; one that is there and was retired is used again, under the newly sealed key.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn add_registration_key(
        &self,
        public_key: [u8; PUBLIC_KEY_BYTES],
        sealed_private_key: Vec<u8>,
    ) -> Result<(), RegistryError> {
        use registration_keys::Column;
        let model = registration_keys::ActiveModel {
            public_key: Set(public_key.to_vec()),
            sealed_private_key: Set(RedactedBytes(sealed_private_key)),
            created_at: Set(self.inner.clock.now().unix_millis()),
            retired_at: Set(None),
            ..Default::default()
        };
        let conflict = OnConflict::column(Column::PublicKey)
            .update_columns([Column::SealedPrivateKey, Column::RetiredAt])
            .to_owned();
        let statement = registration_keys::Entity::insert(model).on_conflict(conflict);
        self.change_registration_keys(async |transaction| {
            statement.exec_without_returning(transaction).await.map(drop)
        })
        .await
    }

    /// Registrations that are sealed for this key are refused from now on.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn retire_registration_key(&self, id: i64) -> Result<(), RegistryError> {
        use registration_keys::Column;
        let statement = registration_keys::Entity::update_many()
            .col_expr(Column::RetiredAt, Expr::value(self.inner.clock.now().unix_millis()))
            .filter(Column::Id.eq(id))
            .filter(Column::RetiredAt.is_null());
        self.change_registration_keys(async |transaction| {
            statement.exec(transaction).await.map(drop)
        })
        .await
    }

    async fn change_registration_keys(
        &self,
        change: impl AsyncFnOnce(&DatabaseTransaction) -> Result<(), DbErr>,
    ) -> Result<(), RegistryError> {
        let stored = async {
            let transaction = self.inner.database.begin().await?;
            change(&transaction).await?;
            announce(&transaction, [Change::RegistrationKeys]).await?;
            transaction.commit().await
        };
        let stored = self.carry_out(Box::pin(stored)).await;
        self.inner.registration_keys.changed(&(), stored.is_ok());
        self.noted(stored)
    }

    /// How many registrations each key opened in the last 30 days; keys without any are missing.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn registration_key_uses(&self) -> Result<HashMap<i64, i64>, RegistryError> {
        let since = (self.inner.clock.now() - USES_PERIOD).unix_millis();
        let query = registration_key_uses::Entity::find()
            .filter(registration_key_uses::Column::EndTime.gt(since));
        let mut uses = HashMap::new();
        for row in self.ask(|| query.clone().all(&self.inner.database)).await? {
            *uses.entry(row.key_id).or_insert(0) += row.uses;
        }
        Ok(uses)
    }
}

/// A row with a public key of another length was not written by us and is left alone.
fn key(row: registration_keys::Model) -> Option<StoredKey> {
    Some(StoredKey {
        id: row.id,
        public_key: row.public_key.try_into().ok()?,
        sealed_private_key: row.sealed_private_key.0,
        created_at: Timestamp::from_unix_millis(row.created_at),
        retired_at: row.retired_at.map(Timestamp::from_unix_millis),
    })
}
