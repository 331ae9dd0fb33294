//! The body and the headers of one notification to Apple's phones.

mod e2ee;

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    domain::{
        encrypted_push::{ApnsPriority, PushType},
        json_object::{JsonObject, write_compact, write_text},
        notification::About,
        removal,
    },
};

/// Apple takes no more for an ordinary push: "the maximum payload size is 4 KB (4096 bytes)".
pub const MAX_PAYLOAD_BYTES: usize = 4096;

/// "For Voice over Internet Protocol (VoIP) notifications, the maximum payload size is 5 KB (5120 bytes)".
const MAX_VOIP_PAYLOAD_BYTES: usize = 5120;

/// How long Apple keeps a notification for a phone that is off, as the reference asks for.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// A notification as Apple gets it; all devices share it. It has no `Debug`: it holds the message.
pub struct ApnsMessage {
    body: Bytes,
    push_type: PushType,
    /// Apple's own default, 10, where there is none.
    priority: Option<ApnsPriority>,
    /// How long Apple shall keep it; Apple decides where it is not said.
    kept_for: Option<Duration>,
    about: About,
}

impl ApnsMessage {
    /// The message for a legacy payload: what is in `custom` at the top, everything else in `aps`.
    ///
    /// `None` when there is nothing to send: the payload is empty, as removals of 2.x servers are, or all
    /// of it is a `custom` that is no object.
    #[must_use]
    pub fn legacy(payload: &RawValue) -> Option<Self> {
        let payload = JsonObject::from_value(payload)?;
        if payload.is_empty() {
            return None;
        }
        if let Some(message_ids) = payload.get("message_ids") {
            return Some(Self::of_1_6(payload.get("alert"), message_ids));
        }
        let custom = payload.get("custom").and_then(JsonObject::from_value);
        if custom.is_none() && payload.iter().all(|(name, _)| name == "custom") {
            return None;
        }
        let mut about = About::default();
        let mut body = Vec::with_capacity(1024);
        body.push(b'{');
        if let Some(custom) = custom {
            for (name, value) in custom.iter().filter(|(name, _)| *name != "aps") {
                write_member(&mut body, name, |body| match name {
                    "zulip" => about = write_zulip(body, value),
                    _ => write_compact(body, value),
                });
                body.push(b',');
            }
        }
        let mut is_background = true;
        write_member(&mut body, "aps", |body| {
            body.push(b'{');
            let mut separator: &[u8] = b"";
            for (name, value) in payload.iter().filter(|(name, _)| *name != "custom") {
                is_background &= !matches!(name, "alert" | "badge" | "sound");
                body.extend_from_slice(separator);
                write_member(body, name, |body| write_compact(body, value));
                separator = b",";
            }
            body.push(b'}');
        });
        body.push(b'}');
        Some(Self { about, ..Self::in_clear(body, is_background) })
    }

    /// A test notification; the text is ours, so that it may be made clearer without a new server.
    #[must_use]
    pub fn test(base_payload: &JsonObject<'_>) -> Self {
        let text = |name| base_payload.get_text(name);
        let realm_url = text("realm_url").or_else(|| text("realm_uri")).unwrap_or_default();
        let realm_name = text("realm_name").unwrap_or_default();
        let alert = format!("This is a test notification from {realm_name} ({realm_url}).");
        let mut body = Vec::with_capacity(1024);
        body.extend_from_slice(b"{\"zulip\":{");
        for (name, value) in base_payload.iter().filter(|(name, _)| *name != "event") {
            write_member(&mut body, name, |body| write_compact(body, value));
            body.push(b',');
        }
        body.extend_from_slice(
            b"\"event\":\"test\"},\"aps\":{\"alert\":{\"title\":\"Test notification\",\"body\":",
        );
        write_text(&mut body, &alert);
        body.extend_from_slice(b"},\"sound\":\"default\"}}");
        Self::in_clear(body, false)
    }

    /// The form of servers 1.6: a text and message ids at the top.
    fn of_1_6(alert: Option<&RawValue>, message_ids: &RawValue) -> Self {
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(b"{\"zulip\":{\"message_ids\":");
        write_compact(&mut body, message_ids);
        body.extend_from_slice(b"},\"aps\":{");
        if let Some(alert) = alert {
            write_member(&mut body, "alert", |body| write_compact(body, alert));
            body.push(b',');
        }
        body.extend_from_slice(b"\"badge\":0}}");
        Self::in_clear(body, false)
    }

    /// "Always use priority 5" for background pushes.
    fn in_clear(body: Vec<u8>, is_background: bool) -> Self {
        let (push_type, priority) = match is_background {
            true => (PushType::Background, Some(ApnsPriority::Considerate)),
            false => (PushType::Alert, None),
        };
        Self {
            body: body.into(),
            push_type,
            priority,
            kept_for: Some(KEPT_FOR),
            about: About::default(),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// How long Apple keeps it for a phone that is off, if that is known.
    #[must_use]
    pub fn kept_for(&self) -> Option<Duration> {
        self.kept_for
    }

    /// What is sent.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Whether Apple would refuse it for its size.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        let most = match self.push_type {
            PushType::Voip => MAX_VOIP_PAYLOAD_BYTES,
            _ => MAX_PAYLOAD_BYTES,
        };
        self.body.len() > most
    }

    /// Apple's word for what kind of push it is: `background` shows nothing and makes no sound.
    pub(super) fn push_type(&self) -> &'static str {
        self.push_type.as_str()
    }

    /// Apple's number for how soon it shall arrive.
    pub(super) fn priority(&self) -> Option<&'static str> {
        self.priority.map(ApnsPriority::as_str)
    }

    /// When Apple shall stop trying, in Unix seconds.
    pub(super) fn expiration(&self, now: Timestamp) -> Option<i64> {
        self.kept_for.map(|kept_for| (now + kept_for).unix_seconds())
    }
}

/// `custom.zulip`, with a long list of read messages cut to what a phone can use.
fn write_zulip(body: &mut Vec<u8>, value: &RawValue) -> About {
    let zulip = JsonObject::from_value(value);
    let about = zulip.as_ref().map(About::of).unwrap_or_default();
    let Some((zulip, ids)) = zulip.and_then(|zulip| {
        let ids = removal::message_ids_to_send(&zulip)?;
        Some((zulip, ids))
    }) else {
        write_compact(body, value);
        return about;
    };
    let mut separator = b'{';
    for (name, value) in zulip.iter() {
        body.push(separator);
        write_member(body, name, |body| match name {
            "zulip_message_ids" => write_text(body, &ids),
            _ => write_compact(body, value),
        });
        separator = b',';
    }
    body.push(b'}');
    about
}

fn write_member(body: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    write_text(body, name);
    body.push(b':');
    value(body);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(payload: &Value) -> Option<ApnsMessage> {
        ApnsMessage::legacy(&serde_json::value::to_raw_value(payload).unwrap())
    }

    fn body(payload: &Value) -> Value {
        serde_json::from_slice(&message(payload).unwrap().body()).unwrap()
    }

    #[test]
    fn custom_members_stand_at_the_top_and_the_rest_in_aps() {
        let payload =
            json!({"alert": {"title": "t"}, "badge": 3, "custom": {"zulip": {"a": 1}, "aps": 5}});
        let expected = json!({"zulip": {"a": 1}, "aps": {"alert": {"title": "t"}, "badge": 3}});
        assert_eq!(body(&payload), expected);
    }

    #[test]
    fn the_form_of_1_6_is_brought_into_the_present_one() {
        let expected = json!({"zulip": {"message_ids": [9]}, "aps": {"alert": "x", "badge": 0}});
        assert_eq!(body(&json!({"alert": "x", "message_ids": [9]})), expected);
        let expected = json!({"zulip": {"message_ids": [9]}, "aps": {"badge": 0}});
        assert_eq!(body(&json!({"message_ids": [9]})), expected);
    }

    #[test]
    fn an_empty_payload_is_no_message() {
        assert!(message(&json!({})).is_none());
    }

    #[test]
    fn only_a_push_that_shows_nothing_is_a_background_push() {
        let silent = message(&json!({"content-available": 1, "custom": {"zulip": {}}})).unwrap();
        assert_eq!((silent.push_type(), silent.priority()), ("background", Some("5")));
        let removal =
            message(&json!({"badge": 0, "custom": {"zulip": {"event": "remove"}}})).unwrap();
        assert_eq!((removal.push_type(), removal.priority()), ("alert", None));
    }

    #[test]
    fn ids_of_a_removal_are_sorted() {
        let payload = json!({"badge": 0, "custom": {"zulip": {"event": "remove", "zulip_message_ids": "5,3"}}});
        assert_eq!(body(&payload)["zulip"]["zulip_message_ids"], "3,5");
    }

    #[test]
    fn odd_custom_values_pass_through() {
        assert_eq!(body(&json!({"custom": {"zulip": 5}})), json!({"zulip": 5, "aps": {}}));
        assert_eq!(body(&json!({"badge": 1, "custom": "x"})), json!({"aps": {"badge": 1}}));
        assert!(message(&json!({"custom": "x"})).is_none());
    }
}
