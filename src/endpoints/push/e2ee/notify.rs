//! `POST /api/v1/remotes/push/e2ee/notify`: an encrypted notification, a message of its own for each phone.

use std::{borrow::Cow, sync::Arc};

use serde::Serialize;
use uuid::Uuid;

use crate::{
    app::App,
    dispatch::E2eeSummary,
    domain::{
        e2ee_device::DeviceName,
        encrypted_push::{ApnsPriority, EncryptedContent, EncryptedPush, FcmPriority, PushType},
    },
    endpoints::realm_status::RealmStatus,
    http::{
        ApiError, AuthenticatedRequest, Document, Endpoint, Success, parse_uuid, require_realm,
    },
};

/// Its method; all it takes is in its JSON body.
pub const ENDPOINT: Endpoint = Endpoint::post(&[]);

/// The body; unknown members are ignored.
struct NotifyRequest<'a> {
    realm_uuid: Uuid,
    pushes: Vec<EncryptedPush<'a>>,
}

impl<'a> NotifyRequest<'a> {
    fn decode(body: &'a [u8]) -> Result<Self, ApiError> {
        let document = Document::parse(body, "SendE2EEPushNotificationPayload")?;
        let realm_uuid = document.required_text("realm_uuid")?;
        let elements = document.required_documents("push_requests")?;
        let pushes = elements.iter().map(element).collect::<Result<_, _>>()?;
        Ok(Self { realm_uuid: parse_uuid(&realm_uuid)?, pushes })
    }
}

#[derive(Serialize)]
struct NotifyResponse<'a> {
    apple_successfully_sent_count: usize,
    android_successfully_sent_count: usize,
    /// In the text that the server sent.
    delete_token_ids: Vec<Cow<'a, str>>,
    /// For servers that name devices so.
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_device_ids: Option<Vec<i64>>,
    realm_push_status: RealmStatus,
}

/// Sends the notification.
pub async fn handle(request: AuthenticatedRequest, app: Arc<App>) -> Result<Success, ApiError> {
    let AuthenticatedRequest { server, body, .. } = request;
    let NotifyRequest { realm_uuid, pushes } = NotifyRequest::decode(&body)?;
    let realm = require_realm(&app, &server, realm_uuid).await?;
    let entitlement = app.entitlement.decide(&server, Some(&realm));
    if !entitlement.can_push {
        // Whoever encrypts knows this code, whatever is known of its version.
        return Err(ApiError::PlanDisallows(entitlement.reason));
    }
    let is_by_device_id = pushes.iter().any(|push| matches!(push.device, DeviceName::DeviceId(_)));
    let summary = app.dispatcher.notify_e2ee(server, realm, pushes, &body).await?;
    let status = RealmStatus::from(&entitlement);
    Ok(Success::with(&NotifyResponse::new(summary, is_by_device_id, status)))
}

impl<'a> NotifyResponse<'a> {
    fn new(summary: E2eeSummary<'a>, is_by_device_id: bool, status: RealmStatus) -> Self {
        let (mut token_ids, mut device_ids) = (Vec::new(), Vec::new());
        for name in summary.gone {
            match name {
                DeviceName::TokenId(text) => token_ids.push(text),
                DeviceName::DeviceId(id) => device_ids.push(id),
            }
        }
        Self {
            apple_successfully_sent_count: summary.apple_sent,
            android_successfully_sent_count: summary.android_sent,
            delete_token_ids: token_ids,
            delete_device_ids: is_by_device_id.then_some(device_ids),
            realm_push_status: status,
        }
    }
}

/// One element of `push_requests`; which kind of phone it is for is told by its members.
fn element<'a>(element: &Document<'a>) -> Result<EncryptedPush<'a>, ApiError> {
    let device = if element.has("device_id") && !element.has("token_id") {
        DeviceName::DeviceId(element.required_integer("device_id")?)
    } else {
        DeviceName::TokenId(element.required_text("token_id")?)
    };
    let content = if element.has("http_headers") { apns(element)? } else { fcm(element)? };
    Ok(EncryptedPush { device, content })
}

fn apns<'a>(element: &Document<'a>) -> Result<EncryptedContent<'a>, ApiError> {
    let headers = element.required_document("http_headers")?;
    let priority = ApnsPriority::from_number(headers.required_integer("apns_priority")?)
        .ok_or_else(|| headers.not_one_of("apns_priority", "10, 5 or 1"))?;
    let push_type = PushType::parse(&headers.required_text("apns_push_type")?)
        .ok_or_else(|| headers.not_one_of("apns_push_type", "one of Apple's push types"))?;
    let payload = element.required_document("payload")?;
    key(&payload)?;
    payload.required_text("encrypted_data")?;
    payload.object_or_empty("aps")?;
    let payload = element.required_raw_object("payload")?;
    Ok(EncryptedContent::Apns { payload, priority, push_type })
}

fn fcm<'a>(element: &Document<'a>) -> Result<EncryptedContent<'a>, ApiError> {
    let priority = FcmPriority::parse(&element.required_text("fcm_priority")?)
        .ok_or_else(|| element.not_one_of("fcm_priority", "'high' or 'normal'"))?;
    let payload = element.required_document("payload")?;
    let key = key(&payload)?;
    let encrypted_data = payload.required_text("encrypted_data")?;
    Ok(EncryptedContent::Fcm { key, encrypted_data, priority })
}

/// What the app finds the key by: Zulip 11 gave the account instead of the key.
fn key(payload: &Document<'_>) -> Result<(&'static str, i64), ApiError> {
    const ACCOUNT: &str = "push_account_id";
    const KEY: &str = "push_key_id";
    let name = if payload.has(ACCOUNT) && !payload.has(KEY) { ACCOUNT } else { KEY };
    Ok((name, payload.required_integer(name)?))
}
