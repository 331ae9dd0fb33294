//! Which devices a server is told to delete, where not all that we do not hold may be named.
//!
//! A server deletes its own copy of every device it is told of. While a brake is on, and where our memory has holes,
//! only devices are named of which we have a tombstone (`providers.md`, rule 4).

use std::collections::HashMap;

use super::{DeletedDevices, Dispatcher};
use crate::{
    domain::{
        device::{DeviceToken, Provider},
        e2ee_device::{DeviceName, TokenId},
        remote_realm::RemoteRealm,
        remote_server::RemoteServer,
    },
    registry::{RegistryError, Tombstone},
};

impl Dispatcher {
    /// What of the missing tokens a server is told.
    pub(super) async fn told(
        &self,
        server: &RemoteServer,
        missing: DeletedDevices,
    ) -> DeletedDevices {
        DeletedDevices {
            android: self.told_of(server, Provider::Fcm, missing.android).await,
            apple: self.told_of(server, Provider::Apns, missing.apple).await,
        }
    }

    async fn told_of(
        &self,
        server: &RemoteServer,
        provider: Provider,
        mut missing: Vec<String>,
    ) -> Vec<String> {
        let shared = &self.shared;
        if missing.is_empty() || !shared.brake.names_only_tombstones(provider) {
            return missing;
        }
        let token = |spelling: &String| DeviceToken::lenient(provider, spelling);
        let tokens: Vec<DeviceToken> = missing.iter().map(token).collect();
        let tombstones = known_or_none(shared.registry.tombstones(server, provider, &tokens).await);
        missing.retain(|spelling| {
            self.is_told(provider, tombstones.get(&token(spelling).digest()).copied())
        });
        missing
    }

    /// What of the names of encrypted devices that are not held, or not any more, a server is told.
    pub(super) async fn told_names<'a>(
        &self,
        realm: &RemoteRealm,
        gone: Vec<(DeviceName<'a>, Provider)>,
        token_ids: &HashMap<String, TokenId>,
    ) -> Vec<DeviceName<'a>> {
        let shared = &self.shared;
        let is_free = |provider| !shared.brake.names_only_tombstones(provider);
        if gone.iter().all(|(_, provider)| is_free(*provider)) {
            return gone.into_iter().map(|(name, _)| name).collect();
        }
        let (mut tokens, mut keys) = (Vec::new(), Vec::new());
        for (name, _) in &gone {
            match name {
                DeviceName::TokenId(text) => tokens.extend(token_ids.get(&**text)),
                DeviceName::DeviceId(id) => keys.push(*id),
            }
        }
        let found = shared.registry.e2ee_tombstones(realm, &tokens, &keys).await;
        let (by_token, by_key) = known_or_none(found);
        let is_told = |(name, provider): &(DeviceName<'_>, Provider)| {
            let tombstone = match name {
                DeviceName::TokenId(text) => token_ids.get(&**text).and_then(|id| by_token.get(id)),
                DeviceName::DeviceId(id) => by_key.get(id),
            };
            is_free(*provider) || self.is_told(*provider, tombstone.copied())
        };
        gone.into_iter().filter(is_told).map(|(name, _)| name).collect()
    }

    /// While the brake is on, what went in doubt may come back.
    fn is_told(&self, provider: Provider, tombstone: Option<Tombstone>) -> bool {
        tombstone.is_some_and(|tombstone| {
            !(tombstone.in_doubt && self.shared.brake.is_engaged(provider))
        })
    }
}

/// What nobody can look up is not named.
fn known_or_none<T: Default>(found: Result<T, RegistryError>) -> T {
    found.unwrap_or_else(|error| {
        tracing::warn!(event = "notify.deleted_unknown", %error, "no device is reported as deleted");
        T::default()
    })
}
