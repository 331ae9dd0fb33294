//! What Apple is told of a push beside what it says.

use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::ApnsMessage;
use crate::{domain::device::AppId, providers::Attempt};

/// Sets them in a request.
pub(super) fn set_headers(
    headers: &mut HeaderMap,
    topic: &AppId,
    message: &ApnsMessage,
    attempt: &Attempt<'_>,
) {
    let topic = HeaderValue::from_str(topic.as_str()).expect("a bundle id is ASCII");
    headers.insert("apns-topic", topic);
    headers.insert("apns-push-type", HeaderValue::from_static(message.push_type()));
    if let Some(priority) = message.priority() {
        headers.insert("apns-priority", HeaderValue::from_static(priority));
    }
    // Both differ from push to push: "APNs maintains a small dynamic table for HPACK", which they would
    // fill. What is sensitive is never kept there.
    if let Some(expiration) = message.expiration(attempt.asked_at) {
        let mut expiration = HeaderValue::from(expiration);
        expiration.set_sensitive(true);
        headers.insert("apns-expiration", expiration);
    }
    let mut buffer = Uuid::encode_buffer();
    let apns_id = HeaderValue::from_str(attempt.id.hyphenated().encode_lower(&mut buffer));
    let mut apns_id = apns_id.expect("a UUID is ASCII");
    apns_id.set_sensitive(true);
    headers.insert("apns-id", apns_id);
}
