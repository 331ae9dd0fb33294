//! Reading a user's devices, from memory where they are there.

use std::sync::Arc;

use entities::devices;
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _};

use super::owner::Owner;
use crate::{
    clock::Timestamp,
    domain::{
        device::{AppId, Device, DeviceToken, Provider},
        remote_server::RemoteServer,
        user::User,
    },
    registry::{Registry, RegistryError},
};

impl Registry {
    /// All devices of a user, in the order they were registered in.
    ///
    /// # Errors
    ///
    /// When the database fails, and they are not known.
    pub async fn devices_of(
        &self,
        server: &RemoteServer,
        user: User,
    ) -> Result<Vec<Device>, RegistryError> {
        let mut all = Vec::new();
        let mut missing: [Option<Owner>; 2] = [None; 2];
        for (index, owner) in Owner::of(server, user).into_iter().enumerate() {
            let Some(owner) = owner else { continue };
            match self.inner.devices.get(&owner) {
                Some(known) => all.extend(known.iter().cloned()),
                None => missing[index] = Some(owner),
            }
        }
        if missing.iter().any(Option::is_some)
            && let Err(error) = self.read_devices(missing, &mut all).await
        {
            for owner in missing.iter().flatten() {
                match self.inner.devices.last_known(owner) {
                    Some(known) => all.extend(known.iter().cloned()),
                    None => return Err(error),
                }
            }
        }
        all.sort_unstable_by_key(|device: &Device| device.id);
        Ok(all)
    }

    /// The same, whatever is in memory: for what must not miss a change that another node made just now.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn devices_of_now(
        &self,
        server: &RemoteServer,
        user: User,
    ) -> Result<Vec<Device>, RegistryError> {
        let mut all = Vec::new();
        self.read_devices(Owner::of(server, user), &mut all).await?;
        all.sort_unstable_by_key(|device: &Device| device.id);
        Ok(all)
    }

    /// Reads the devices of up to two identities by one query, and keeps them.
    async fn read_devices(
        &self,
        owners: [Option<Owner>; 2],
        all: &mut Vec<Device>,
    ) -> Result<(), RegistryError> {
        let asked = owners.map(|owner| owner.map(|owner| (owner, self.inner.devices.ask(&owner))));
        let mut condition = Condition::any();
        for owner in owners.into_iter().flatten() {
            condition = condition.add(owner.condition());
        }
        let query =
            devices::Entity::find().filter(condition).filter(devices::Column::GoneAt.is_null());
        let mut rows = self.ask(|| query.clone().all(&self.inner.database)).await?;
        rows.sort_unstable_by_key(|row| row.id);
        for (owner, asked) in asked.into_iter().flatten() {
            let of_owner: Arc<[Device]> = rows
                .iter()
                .filter(|row| Owner::of_row(row) == Some(owner))
                .filter_map(device)
                .collect();
            all.extend(of_owner.iter().cloned());
            self.inner.devices.keep(asked, owner, of_owner);
        }
        Ok(())
    }

    /// Forgets what is in memory of all devices: another process changed some of them.
    pub fn forget_devices(&self) {
        self.inner.devices.invalidate_all();
    }

    /// Forgets what is in memory of a user's devices, after a change was tried.
    pub(super) fn forget(&self, server: &RemoteServer, user: User, is_stored: bool) {
        for owner in Owner::of(server, user).into_iter().flatten() {
            self.inner.devices.changed(&owner, is_stored);
        }
    }

    /// Forgets what is in memory of those whose rows were changed; how many rows there were.
    pub(in crate::registry) fn forget_rows(&self, rows: &[devices::Model]) -> u64 {
        for owner in rows.iter().filter_map(Owner::of_row) {
            self.inner.devices.invalidate(&owner);
        }
        rows.len() as u64
    }
}

/// The memory that devices need, in bytes.
pub(in crate::registry) fn weight(devices: &[Device]) -> u32 {
    let bytes: usize = devices
        .iter()
        .map(|device| {
            let app = device.app_id.as_ref().map_or(0, |app| app.as_str().len() + 16);
            size_of::<Device>() + device.token.expose().len() + 16 + app
        })
        .sum();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A row of another kind than the two was not written by us and is left alone.
fn device(row: &devices::Model) -> Option<Device> {
    Some(Device {
        id: row.id,
        provider: Provider::from_token_kind(row.kind.into())?,
        token: DeviceToken::from_stored(&row.token.0),
        app_id: row.ios_app_id.as_deref().and_then(AppId::parse),
        user_uuid: row.user_uuid,
        remote_realm_id: row.remote_realm_id,
        registered_at: Timestamp::from_unix_millis(row.registered_at),
        is_suspect: row.suspected_at.is_some(),
        fcm_app: row.fcm_app.as_deref().map(Arc::from),
    })
}
