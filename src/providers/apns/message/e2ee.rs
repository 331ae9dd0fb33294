//! The message whose content only the phone can read.

use serde_json::value::RawValue;

use super::{ApnsMessage, write_member};
use crate::domain::{
    encrypted_push::{ApnsPriority, PushType},
    json_object::{JsonObject, write_compact},
    notification::About,
};

/// What stands for `aps` where the chat server gives none: the app is woken and writes the text itself.
const DEFAULT_APS: &[u8] = br#"{"mutable-content":1,"alert":{"title":"New notification"}}"#;

impl ApnsMessage {
    /// The message for an encrypted payload, an object: its members pass through.
    ///
    /// No `apns-expiration` goes with it, as in the reference (protocol, 4.2).
    #[must_use]
    pub fn e2ee(payload: &RawValue, priority: ApnsPriority, push_type: PushType) -> Self {
        let payload = JsonObject::from_value(payload);
        let mut body = Vec::with_capacity(1024);
        let mut separator = b'{';
        let mut has_aps = false;
        for (name, value) in payload.iter().flat_map(JsonObject::iter) {
            has_aps |= name == "aps";
            body.push(separator);
            write_member(&mut body, name, |body| write_compact(body, value));
            separator = b',';
        }
        if !has_aps {
            body.push(separator);
            write_member(&mut body, "aps", |body| body.extend_from_slice(DEFAULT_APS));
        }
        body.push(b'}');
        let about = About::default();
        Self { body: body.into(), push_type, priority: Some(priority), kept_for: None, about }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::Timestamp;

    fn message(payload: &str, push_type: PushType) -> ApnsMessage {
        let payload = serde_json::from_str(payload).unwrap();
        ApnsMessage::e2ee(payload, ApnsPriority::Considerate, push_type)
    }

    #[test]
    fn the_payload_passes_through() {
        let payload =
            r#"{"push_key_id":7,"encrypted_data":"AA==","aps":{"mutable-content":1},"x":1.50}"#;
        let message = message(payload, PushType::Background);
        assert_eq!(message.body(), payload);
        assert_eq!((message.push_type(), message.priority()), ("background", Some("5")));
        assert_eq!(message.expiration(Timestamp::from_unix_seconds(0)), None);
    }

    #[test]
    fn without_aps_the_phone_still_shows_something() {
        let body = |payload: &str| -> Value {
            serde_json::from_slice(&message(payload, PushType::Alert).body()).unwrap()
        };
        let aps = json!({"mutable-content": 1, "alert": {"title": "New notification"}});
        assert_eq!(body(r#"{"push_key_id":7}"#), json!({"push_key_id": 7, "aps": aps}));
        assert_eq!(body("{}"), json!({"aps": aps}));
    }

    #[test]
    fn a_call_may_be_a_kilobyte_longer() {
        let payload = format!("{{\"encrypted_data\":\"{}\"}}", "A".repeat(4100));
        assert!(message(&payload, PushType::Alert).is_too_large());
        assert!(!message(&payload, PushType::Voip).is_too_large());
    }
}
