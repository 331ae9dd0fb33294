//! What servers upload about themselves: their version and their realms.
//!
//! Rows of statistics are accepted and not kept yet; a server asked for the last row we have hears 0.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::{remote_realm::RealmDescription, remote_server::RemoteServer},
    entitlement::{Entitlement, EntitlementPolicy},
    registry::{Registry, RegistryError, SynchronisationError, VersionReport},
};

/// One upload.
pub struct Upload {
    /// The version; absent fields erase what was stored, as in the reference.
    pub version: VersionReport,
    /// All realms of the server, when it names them.
    pub realms: Option<Vec<RealmDescription>>,
}

/// Why an upload was not stored; nothing of it is, then.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A realm belongs to another server, or is named twice.
    #[error("a realm is registered already")]
    DuplicateRealm,
    /// The database failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Takes uploads.
pub struct Analytics {
    registry: Registry,
    entitlement: EntitlementPolicy,
}

impl Analytics {
    /// Takes uploads into `registry`.
    #[must_use]
    pub fn new(registry: Registry, entitlement: EntitlementPolicy) -> Self {
        Self { registry, entitlement }
    }

    /// Stores an upload, and says of each of its realms whether it may push.
    ///
    /// # Errors
    ///
    /// When a realm belongs to another server, or the database fails; nothing is stored then.
    pub async fn receive(
        &self,
        server: &Arc<RemoteServer>,
        upload: Upload,
    ) -> Result<Vec<(Uuid, Entitlement)>, UploadError> {
        self.registry.synchronise(server, upload.version, upload.realms.as_deref()).await.map_err(
            |error| match error {
                SynchronisationError::Duplicate => UploadError::DuplicateRealm,
                SynchronisationError::Registry(error) => UploadError::Registry(error),
            },
        )?;
        let realms = upload.realms.unwrap_or_default();
        let mut decided = Vec::with_capacity(realms.len());
        for realm in realms {
            decided.push((realm.uuid, self.entitlement.decide(server, None)));
        }
        Ok(decided)
    }
}
