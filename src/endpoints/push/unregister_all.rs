//! `POST /api/v1/remotes/push/unregister/all`: no phone of a user is to get notifications.

use std::sync::Arc;

use super::identity;
use crate::{
    app::App,
    http::{ApiError, AuthenticatedRequest, Endpoint, Success},
};

/// Its method and parameters.
pub const ENDPOINT: Endpoint = Endpoint::post(&["user_id", "user_uuid", "realm_uuid"]);

/// Removes all devices of the user, if there are any.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, parameters, .. } = request;
    let user_id = parameters.optional_integer("user_id")?;
    let user = identity::user(user_id, parameters.optional_uuid("user_uuid")?)?;
    identity::realm(&app, &server, &parameters).await?;
    app.registry.remove_devices_of(&server, user).await?;
    Ok(Success::empty())
}
