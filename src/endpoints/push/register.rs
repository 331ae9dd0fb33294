//! `POST /api/v1/remotes/push/register`: a user's phone is to get notifications.

use std::sync::Arc;

use super::identity;
use crate::{
    app::App,
    domain::{
        device::{AppId, DeviceToken, NewDevice, Provider},
        user::User,
    },
    http::{ApiError, AuthenticatedRequest, Endpoint, Parameters, Success, find_realm},
    metrics::{DeviceChange, DeviceChangeLabels},
};

/// Its method and parameters.
pub const ENDPOINT: Endpoint =
    Endpoint::post(&["user_id", "user_uuid", "realm_uuid", "token", "token_kind", "ios_app_id"]);

struct Registration {
    user: User,
    provider: Provider,
    token: DeviceToken,
    app_id: Option<AppId>,
}

impl Registration {
    fn decode(parameters: &Parameters) -> Result<Self, ApiError> {
        let user_id = parameters.optional_integer("user_id")?;
        let token = parameters.required("token")?;
        let kind = parameters.required_integer("token_kind")?;
        let app_id = match parameters.optional("ios_app_id") {
            None => None,
            Some(text) => {
                let invalid = || ApiError::invalid("ios_app_id has invalid format");
                Some(AppId::parse(text).ok_or_else(invalid)?)
            }
        };
        let (provider, token) = identity::token(kind, token)?;
        if provider == Provider::Apns && app_id.is_none() {
            return Err(ApiError::invalid("Missing ios_app_id"));
        }
        // UUIDs are texts to the reference until it looks them up, so they are judged last.
        let user = identity::user(user_id, parameters.optional_uuid("user_uuid")?)?;
        Ok(Self { user, provider, token, app_id })
    }
}

/// Stores the device; one that is known is refreshed.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, parameters, .. } = request;
    let Registration { user, provider, token, app_id } = Registration::decode(&parameters)?;
    let realm_uuid = parameters.optional_uuid("realm_uuid")?;
    let realm = match find_realm(&app, &server, realm_uuid).await {
        Err(ApiError::RealmMismatch) => {
            if let User::Both { id, .. } = user {
                // As in the reference, which does it before it looks at the realm.
                app.registry.remove_device_by_id(&server, id, provider, &token).await?;
            }
            return Err(ApiError::RealmMismatch);
        }
        found => found?,
    };
    let remote_realm_id = realm.map(|realm| realm.id);
    let device = NewDevice { provider, token, app_id, remote_realm_id };
    app.registry.add_device(&server, user, device).await?;
    let labels = DeviceChangeLabels { provider, change: DeviceChange::Registered };
    app.metrics.device_changes.get_or_create(&labels).inc();
    Ok(Success::empty())
}
