//! Devices that receive encrypted notifications.
//!
//! They are not kept in memory: one query by index finds all devices of a notification.

use entities::{
    e2ee_devices,
    redacted::{RedactedBytes, RedactedText},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{Registry, RegistryError};
use crate::domain::{
    device::{AppId, DeviceToken, Provider, Target},
    e2ee_device::{E2eeDevice, E2eeIdentity, NewE2eeDevice, TokenId},
    remote_realm::RemoteRealm,
};

/// Phones say when they made a registration in whole seconds.
const PHONE_PRECISION_MILLIS: i64 = 1000;

impl Registry {
    /// Stores a device of a realm, and gives its `device_id`. One that is known is refreshed, and lives again
    /// if it was declared dead before the registration was made; an older registration changes nothing.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn add_e2ee_device(
        &self,
        realm: &RemoteRealm,
        new: NewE2eeDevice,
    ) -> Result<i64, RegistryError> {
        use e2ee_devices::Column;
        let registered_at = new.registered_at.unix_millis();
        let digest = RedactedBytes(new.token.digest().to_vec());
        let (token_id, push_account_id, unique, is_it) = match new.identity {
            E2eeIdentity::TokenId(id) => {
                let unique = vec![Column::RemoteRealmId, Column::TokenId];
                (Some(id.stored()), None, unique, Column::TokenId.eq(id.stored()))
            }
            E2eeIdentity::PushAccount(id) => {
                let unique =
                    vec![Column::RemoteRealmId, Column::PushAccountId, Column::TokenDigest];
                let is_it =
                    Column::PushAccountId.eq(id).and(Column::TokenDigest.eq(digest.clone()));
                (None, Some(id), unique, is_it)
            }
        };
        let model = e2ee_devices::ActiveModel {
            server_id: Set(realm.server_id),
            remote_realm_id: Set(realm.id),
            kind: Set(new.provider.token_kind()),
            token: Set(RedactedText(new.token.expose().to_owned())),
            token_digest: Set(digest),
            token_id: Set(token_id),
            push_account_id: Set(push_account_id),
            ios_app_id: Set(new.app_id.map(|app| app.as_str().to_owned())),
            registered_at: Set(registered_at),
            expired_at: Set(None),
            in_doubt: Set(false),
            suspected_at: Set(None),
            fcm_app: Set(None),
            ..Default::default()
        };
        let column = |column: Column| Expr::col((e2ee_devices::Entity, column));
        let is_newer = column(Column::RegisteredAt).lte(registered_at).and(
            column(Column::ExpiredAt)
                .is_null()
                .or(column(Column::ExpiredAt).lt(registered_at + PHONE_PRECISION_MILLIS)),
        );
        let conflict = OnConflict::columns(unique)
            .update_columns([
                Column::Kind,
                Column::Token,
                Column::TokenDigest,
                Column::IosAppId,
                Column::RegisteredAt,
                Column::ExpiredAt,
                Column::InDoubt,
                Column::SuspectedAt,
                Column::FcmApp,
            ])
            .action_and_where(is_newer)
            .to_owned();
        self.ask(|| {
            e2ee_devices::Entity::insert(model.clone())
                .on_conflict(conflict.clone())
                .exec_without_returning(&self.inner.database)
        })
        .await?;
        let query =
            e2ee_devices::Entity::find().filter(Column::RemoteRealmId.eq(realm.id)).filter(is_it);
        let row = self.ask(|| query.clone().one(&self.inner.database)).await?;
        // Gone again: the realm was removed meanwhile.
        row.map(|row| row.id).ok_or_else(|| {
            RegistryError::from(sea_orm::DbErr::RecordNotFound("a device".to_owned()))
        })
    }

    /// The live devices of a realm that have one of these names, in no order.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn live_e2ee_devices(
        &self,
        realm: &RemoteRealm,
        token_ids: &[TokenId],
        device_ids: &[i64],
    ) -> Result<Vec<E2eeDevice>, RegistryError> {
        use e2ee_devices::Column;
        let mut named = Condition::any();
        if !token_ids.is_empty() {
            named = named.add(Column::TokenId.is_in(token_ids.iter().map(|id| id.stored())));
        }
        if !device_ids.is_empty() {
            named = named.add(Column::Id.is_in(device_ids.iter().copied()));
        }
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let query = e2ee_devices::Entity::find()
            .filter(Column::RemoteRealmId.eq(realm.id))
            .filter(Column::ExpiredAt.is_null())
            .filter(named);
        let rows = self.ask(|| query.clone().all(&self.inner.database)).await?;
        Ok(rows.iter().filter_map(device).collect())
    }
}

/// A row of another kind than the two was not written by us and is left alone.
fn device(row: &e2ee_devices::Model) -> Option<E2eeDevice> {
    Some(E2eeDevice {
        id: row.id,
        token_id: row.token_id.map(TokenId::from_stored),
        target: Target {
            provider: Provider::from_token_kind(row.kind.into())?,
            token: DeviceToken::from_stored(&row.token.0),
            app_id: row.ios_app_id.as_deref().and_then(AppId::parse),
            fcm_app: row.fcm_app.as_deref().map(Into::into),
        },
        is_suspect: row.suspected_at.is_some(),
    })
}
