//! `POST /api/v1/remotes/push/unregister`: a user's phone is to get no more notifications.

use std::sync::Arc;

use super::identity;
use crate::{
    app::App,
    http::{ApiError, AuthenticatedRequest, Endpoint, Success},
    metrics::{DeviceChange, DeviceChangeLabels},
};

/// Its method and parameters.
pub const ENDPOINT: Endpoint =
    Endpoint::post(&["token", "token_kind", "user_id", "user_uuid", "realm_uuid"]);

/// Removes the device.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, parameters, .. } = request;
    let token = parameters.required("token")?;
    let kind = parameters.required_integer("token_kind")?;
    let user_id = parameters.optional_integer("user_id")?;
    let (provider, token) = identity::token(kind, token)?;
    let user = identity::user(user_id, parameters.optional_uuid("user_uuid")?)?;
    identity::realm(&app, &server, &parameters).await?;
    if !app.registry.remove_device(&server, user, provider, &token).await? {
        return Err(ApiError::invalid("Token does not exist"));
    }
    let labels = DeviceChangeLabels { provider, change: DeviceChange::Unregistered };
    app.metrics.device_changes.get_or_create(&labels).inc();
    Ok(Success::empty())
}
