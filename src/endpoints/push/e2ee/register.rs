//! `POST /api/v1/remotes/push/e2ee/register`: a phone is to get encrypted notifications of a realm.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    app::App,
    http::{
        ApiError, AuthenticatedRequest, Endpoint, Parameters, Success, parse_uuid, require_realm,
    },
    metrics::{DeviceChange, DeviceChangeLabels},
    push_registration::{RegisteredName, SealedRegistration},
};

/// Its method and parameters.
pub const ENDPOINT: Endpoint = Endpoint::post(&[
    "realm_uuid",
    "token_id",
    "push_account_id",
    "encrypted_push_registration",
    "bouncer_public_key",
]);

/// What Zulip 11 names the device by from now on.
#[derive(Serialize)]
struct DeviceIdResponse {
    device_id: i64,
}

/// Stores the device; one that is known is refreshed.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, parameters, .. } = request;
    let realm_uuid = parameters.required("realm_uuid")?;
    let name = name(&parameters)?;
    let sealed = parameters.required("encrypted_push_registration")?;
    let public_key = parameters.required("bouncer_public_key")?;
    let realm = require_realm(&app, &server, parse_uuid(realm_uuid)?).await?;
    let registration = SealedRegistration { public_key, sealed, name };
    let device = app.push_registrations.open(registration).await?;
    let labels = DeviceChangeLabels { provider: device.provider, change: DeviceChange::Registered };
    let device_id = app.registry.add_e2ee_device(&realm, device).await?;
    app.metrics.device_changes.get_or_create(&labels).inc();
    Ok(match name {
        RegisteredName::TokenId(_) => Success::empty(),
        RegisteredName::PushAccount(_) => Success::with(&DeviceIdResponse { device_id }),
    })
}

/// Zulip 12 names the token; Zulip 11, which does not, names the account.
fn name(parameters: &Parameters) -> Result<RegisteredName<'_>, ApiError> {
    match parameters.optional("token_id") {
        Some(token_id) => Ok(RegisteredName::TokenId(token_id)),
        None => match parameters.optional_integer("push_account_id")? {
            Some(id) => Ok(RegisteredName::PushAccount(id)),
            None => Err(ApiError::MissingParameter("token_id")),
        },
    }
}
