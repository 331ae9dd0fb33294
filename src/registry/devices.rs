//! Devices that receive notifications in the clear.

mod owner;
mod reading;
mod registering;

use std::sync::atomic::{AtomicUsize, Ordering};

use entities::{devices, redacted::RedactedBytes};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _};

use super::{Registry, RegistryError};
use crate::domain::{
    device::{DeviceToken, Provider},
    remote_server::RemoteServer,
    user::User,
};

pub(super) use owner::Owner;
pub(super) use reading::weight;
pub(super) use registering::Registering;

impl Registry {
    /// Removes the row of a token under a user's number; what registering with a UUID too does, also where the realm is
    /// refused.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove_device_by_id(
        &self,
        server: &RemoteServer,
        user_id: i64,
        provider: Provider,
        token: &DeviceToken,
    ) -> Result<(), RegistryError> {
        let statement = devices::Entity::delete_many()
            .filter(of_token(server, provider, token))
            .filter(devices::Column::UserId.eq(user_id));
        let removed = self.ask(|| statement.clone().exec(&self.inner.database)).await;
        self.forget(server, User::Id(user_id), removed.is_ok());
        removed.map(|_| ())
    }

    /// Deletes one device of a user; whether there was one that is not gone.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove_device(
        &self,
        server: &RemoteServer,
        user: User,
        provider: Provider,
        token: &DeviceToken,
    ) -> Result<bool, RegistryError> {
        let statement = devices::Entity::delete_many()
            .filter(of_user(server, user))
            .filter(of_token(server, provider, token));
        let attempts = AtomicUsize::new(0);
        let removed = self
            .ask(|| {
                attempts.fetch_add(1, Ordering::Relaxed);
                statement.clone().exec_with_returning(&self.inner.database)
            })
            .await;
        self.forget(server, user, removed.is_ok());
        // Of two attempts the first may have removed it, and only its answer was lost.
        let is_unclear = attempts.into_inner() > 1;
        removed.map(|rows| live(&rows) > 0 || is_unclear)
    }

    /// Deletes all devices of a user; how many there were that are not gone.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove_devices_of(
        &self,
        server: &RemoteServer,
        user: User,
    ) -> Result<u64, RegistryError> {
        let statement = devices::Entity::delete_many().filter(of_user(server, user));
        let removed =
            self.ask(|| statement.clone().exec_with_returning(&self.inner.database)).await;
        self.forget(server, user, removed.is_ok());
        removed.map(|rows| live(&rows))
    }

    /// Removes rows by our own key.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove_rows(&self, ids: &[i64]) -> Result<(), RegistryError> {
        let statement =
            devices::Entity::delete_many().filter(devices::Column::Id.is_in(ids.iter().copied()));
        let removed =
            self.ask(|| statement.clone().exec_with_returning(&self.inner.database)).await;
        self.forget_rows(&removed?);
        Ok(())
    }

    /// Notes the realm of devices that were registered before it was known.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn set_realm(&self, ids: &[i64], remote_realm_id: i64) -> Result<(), RegistryError> {
        let statement = devices::Entity::update_many()
            .set(devices::ActiveModel {
                remote_realm_id: Set(Some(remote_realm_id)),
                ..Default::default()
            })
            .filter(devices::Column::Id.is_in(ids.iter().copied()))
            .filter(devices::Column::RemoteRealmId.is_null());
        let changed =
            self.ask(|| statement.clone().exec_with_returning(&self.inner.database)).await;
        self.forget_rows(&changed?);
        Ok(())
    }
}

/// How many of these rows are devices; the others say that there was one.
fn live(rows: &[devices::Model]) -> u64 {
    rows.iter().filter(|row| row.gone_at.is_none()).count() as u64
}

fn of_user(server: &RemoteServer, user: User) -> Condition {
    let mut identity = Condition::any();
    if let Some(id) = user.id() {
        identity = identity.add(devices::Column::UserId.eq(id));
    }
    if let Some(uuid) = user.uuid() {
        identity = identity.add(devices::Column::UserUuid.eq(uuid));
    }
    Condition::all().add(devices::Column::ServerId.eq(server.id)).add(identity)
}

fn of_token(server: &RemoteServer, provider: Provider, token: &DeviceToken) -> Condition {
    Condition::all()
        .add(devices::Column::ServerId.eq(server.id))
        .add(devices::Column::Kind.eq(provider.token_kind()))
        .add(devices::Column::TokenDigest.eq(digest(token)))
}

fn digest(token: &DeviceToken) -> RedactedBytes {
    RedactedBytes(token.digest().to_vec())
}
