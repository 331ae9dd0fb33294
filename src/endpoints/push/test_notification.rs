//! `POST /api/v1/remotes/push/test_notification`: does a notification reach this phone?

use std::sync::Arc;

use crate::{
    app::App,
    dispatch::Recipient,
    domain::{
        device::{DeviceToken, Provider},
        user::User,
    },
    http::{ApiError, AuthenticatedRequest, Document, Endpoint, Success, find_realm, parse_uuid},
};

/// Its method; all it takes is in its JSON body.
pub const ENDPOINT: Endpoint = Endpoint::post(&[]);

/// The members of the body; others are refused.
const MEMBERS: &[&str] =
    &["token", "token_kind", "user_id", "user_uuid", "realm_uuid", "base_payload"];

/// Sends a test notification to one device; that the push service refuses it is no error.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, body, .. } = request;
    let document = Document::parse(&body, "PushTestNotificationPayload")?;
    let token = document.required_text("token")?;
    let kind = document.required_integer("token_kind")?;
    let id = document.required_integer("user_id")?;
    let uuid = document.required_text("user_uuid")?;
    let realm_uuid = document.optional_text("realm_uuid")?;
    let base_payload = document.required_object("base_payload")?;
    document.only(MEMBERS)?;
    let uuid = parse_uuid(&uuid)?;
    let realm_uuid = realm_uuid.as_deref().map(parse_uuid).transpose()?;
    let realm = find_realm(&app, &server, realm_uuid).await?;
    // A kind that does not exist finds no device, and that is what the app is told.
    let provider = Provider::from_token_kind(kind).ok_or(ApiError::UnknownDevice)?;
    let token = DeviceToken::lenient(provider, &token);
    let recipient = Recipient { server, realm, user: User::Both { id, uuid } };
    app.dispatcher.test(recipient, provider, &token, &base_payload).await?;
    Ok(Success::empty())
}
