//! What servers upload about themselves: their version, their realms, and how these are used.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    domain::remote_server::RemoteServer,
    entitlement::{Entitlement, EntitlementPolicy},
    registry::{Registry, Upload, UploadError},
};

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

    /// Stores an upload, and says of each of its realms whether it may push, now that it is stored.
    ///
    /// # Errors
    ///
    /// When a realm belongs to another server, or the database fails; nothing is stored then, unless only
    /// the last look at what was stored failed.
    pub async fn receive(
        &self,
        server: &Arc<RemoteServer>,
        upload: Upload,
    ) -> Result<Vec<(Uuid, Entitlement)>, UploadError> {
        self.registry.synchronise(server, &upload).await?;
        let uuids: Vec<Uuid> =
            upload.realms.into_iter().flatten().map(|realm| realm.uuid).collect();
        if uuids.is_empty() {
            return Ok(Vec::new());
        }
        // What the request was authenticated with is older than the upload.
        let fresh = self.registry.find_server_now(server.uuid).await?;
        let server = fresh.as_ref().unwrap_or(server);
        let realms = self.registry.realms_with(&uuids).await?;
        let decide = |realm| self.entitlement.decide(server, Some(realm));
        Ok(realms.iter().map(|realm| (realm.uuid, decide(realm))).collect())
    }
}
