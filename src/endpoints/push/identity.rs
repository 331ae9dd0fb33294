//! How a form names a user, a device and a realm; three endpoints do it alike.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        device::{DeviceToken, Provider},
        remote_realm::RemoteRealm,
        remote_server::RemoteServer,
        user::User,
    },
    http::{ApiError, Parameters, find_realm},
};

/// The user, unless neither number nor UUID is given.
pub(super) fn user(id: Option<i64>, uuid: Option<Uuid>) -> Result<User, ApiError> {
    User::from_parts(id, uuid).ok_or_else(|| ApiError::invalid("Missing user_id or user_uuid"))
}

/// The device's push service and token.
pub(super) fn token(kind: i64, text: &str) -> Result<(Provider, DeviceToken), ApiError> {
    let provider =
        Provider::from_token_kind(kind).ok_or_else(|| ApiError::invalid("Invalid token type"))?;
    Ok((provider, DeviceToken::parse(provider, text)?))
}

/// The realm of the parameter `realm_uuid`.
pub(super) async fn realm(
    app: &App,
    server: &RemoteServer,
    parameters: &Parameters,
) -> Result<Option<Arc<RemoteRealm>>, ApiError> {
    find_realm(app, server, parameters.optional_uuid("realm_uuid")?).await
}
