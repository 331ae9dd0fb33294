//! The realm a request names.

use std::sync::Arc;

use uuid::Uuid;

use super::ApiError;
use crate::{
    app::App,
    domain::{remote_realm::RemoteRealm, remote_server::RemoteServer},
};

/// The realm with this UUID, if the request names one and we know it; it is noted that it was named.
///
/// # Errors
///
/// When it belongs to another server, or the database fails.
pub async fn find_realm(
    app: &App,
    server: &RemoteServer,
    uuid: Option<Uuid>,
) -> Result<Option<Arc<RemoteRealm>>, ApiError> {
    let Some(uuid) = uuid else { return Ok(None) };
    let Some(realm) = app.registry.find_realm(uuid).await? else {
        tracing::info!(event = "realm.unknown", server = %server.uuid, realm = %uuid, "a realm was named that nobody registered");
        return Ok(None);
    };
    if realm.server_id != server.id {
        return Err(ApiError::RealmMismatch);
    }
    app.registry.touch_realm(realm.id);
    Ok(Some(realm))
}

/// The realm with this UUID, without which the request makes no sense; it is noted that it was named.
///
/// # Errors
///
/// When nobody registered it, it belongs to another server, or the database fails.
pub async fn require_realm(
    app: &App,
    server: &RemoteServer,
    uuid: Uuid,
) -> Result<Arc<RemoteRealm>, ApiError> {
    if let Some(realm) = find_realm(app, server, Some(uuid)).await? {
        return Ok(realm);
    }
    // What is remembered of a realm that nobody registered may be a second old, and this refusal switches
    // push off: another process may have stored the realm meanwhile.
    match app.registry.find_realm_now(uuid).await? {
        None => Err(ApiError::UnknownRealm),
        Some(realm) if realm.server_id != server.id => Err(ApiError::RealmMismatch),
        Some(realm) => {
            app.registry.touch_realm(realm.id);
            Ok(Arc::new(realm))
        }
    }
}
