//! `POST /api/v1/remotes/push/notify`: a notification for all phones of a user.

use std::{borrow::Cow, sync::Arc};

use serde::Serialize;
use uuid::Uuid;

use super::identity;
use crate::{
    app::App,
    dispatch::{ListedDevices, Recipient, Summary},
    domain::{notification::Notification, remote_server::RemoteServer, user::User},
    endpoints::realm_status::RealmStatus,
    entitlement::Entitlement,
    http::{ApiError, AuthenticatedRequest, Document, Endpoint, Success, find_realm, parse_uuid},
};

/// Its method; all it takes is in its JSON body.
pub const ENDPOINT: Endpoint = Endpoint::post(&[]);

/// The body; unknown members are ignored.
struct NotifyRequest<'a> {
    user: User,
    realm_uuid: Option<Uuid>,
    notification: Notification<'a>,
    android_devices: Vec<Cow<'a, str>>,
    apple_devices: Vec<Cow<'a, str>>,
}

impl<'a> NotifyRequest<'a> {
    fn decode(body: &'a [u8]) -> Result<Self, ApiError> {
        let document = Document::parse(body, "RemoteServerNotificationPayload")?;
        let user_id = document.optional_integer("user_id")?;
        let user_uuid = document.optional_text("user_uuid")?;
        let realm_uuid = document.optional_text("realm_uuid")?;
        let gcm_payload = document.object_or_empty("gcm_payload")?;
        let gcm_options = document.object_or_empty("gcm_options")?;
        let apns_payload = document.object_or_empty("apns_payload")?;
        let android_devices = document.texts_or_empty("android_devices")?;
        let apple_devices = document.texts_or_empty("apple_devices")?;
        let user_uuid = user_uuid.as_deref().map(parse_uuid).transpose()?;
        Ok(Self {
            user: identity::user(user_id, user_uuid)?,
            realm_uuid: realm_uuid.as_deref().map(parse_uuid).transpose()?,
            notification: Notification { apns_payload, gcm_payload, gcm_options },
            android_devices,
            apple_devices,
        })
    }
}

#[derive(Serialize)]
struct NotifyResponse {
    total_android_devices: usize,
    total_apple_devices: usize,
    deleted_devices: Deleted,
    realm: Option<RealmStatus>,
}

#[derive(Serialize)]
struct Deleted {
    android_devices: Vec<String>,
    apple_devices: Vec<String>,
}

/// Sends the notification.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, body, .. } = request;
    let request = NotifyRequest::decode(&body)?;
    let realm = find_realm(&app, &server, request.realm_uuid).await?;
    let entitlement = app.entitlement.decide(&server, realm.as_deref());
    check(&server, &entitlement)?;
    let is_known_realm = realm.is_some();
    let summary = app
        .dispatcher
        .notify(
            Recipient { server, realm, user: request.user },
            request.notification,
            ListedDevices { android: request.android_devices, apple: request.apple_devices },
            &body,
        )
        .await?;
    let realm = is_known_realm.then(|| RealmStatus::from(&entitlement));
    Ok(Success::with(&NotifyResponse::new(summary, realm)))
}

impl NotifyResponse {
    fn new(summary: Summary, realm: Option<RealmStatus>) -> Self {
        let Summary { android_devices, apple_devices, deleted } = summary;
        Self {
            total_android_devices: android_devices,
            total_apple_devices: apple_devices,
            deleted_devices: Deleted {
                android_devices: deleted.android,
                apple_devices: deleted.apple,
            },
            realm,
        }
    }
}

/// Servers before 8.0 do not know the newer code, and would not show its reason.
fn check(server: &RemoteServer, entitlement: &Entitlement) -> Result<(), ApiError> {
    match (entitlement.can_push, server.api_feature_level) {
        (true, _) => Ok(()),
        (false, None) => Err(ApiError::PlanDisallowsOldServer),
        (false, Some(_)) => Err(ApiError::PlanDisallows(entitlement.reason.clone())),
    }
}
