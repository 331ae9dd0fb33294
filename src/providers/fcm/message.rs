//! The body of one notification to Android phones.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{
    domain::{
        device::DeviceToken,
        encrypted_push::FcmPriority,
        json_object::{self, JsonObject, write_text},
        notification::About,
        python_text::{PythonTextError, python_repr, python_str},
        removal,
    },
    outbound::Body,
};

/// A notification as Google gets it; all devices share all of it but the token. It has no `Debug`.
pub struct FcmMessage {
    /// What stands behind the token.
    shared: Bytes,
    /// Names and values together.
    data_bytes: usize,
    about: About,
}

/// Google takes no more: "Maximum payload for both message types is 4096 bytes"
/// (<https://firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type>). Names and
/// values alone are counted here, so nothing is refused that Google would take.
const MAX_DATA_BYTES: usize = 4096;

/// Why a notification cannot be sent to Android phones.
#[derive(Debug, thiserror::Error)]
pub enum FcmMessageError {
    /// The priority is neither `normal` nor `high`; as Python writes it.
    #[error("priority {0}")]
    Priority(String),
    /// There are options besides the priority; as JSON.
    #[error("options {0}")]
    Options(String),
    /// A value cannot be written as a text.
    #[error(transparent)]
    Value(#[from] PythonTextError),
}

impl FcmMessage {
    /// The message for a legacy payload, every value made a text as the reference does it.
    ///
    /// `None` when there is nothing to send: the payload is empty.
    ///
    /// # Errors
    ///
    /// When the options are not allowed, even where the payload is empty; or when a value has no text.
    pub fn legacy(payload: &RawValue, options: &RawValue) -> Result<Option<Self>, FcmMessageError> {
        // Neither is anything but an object: the endpoint has seen to it.
        let (Some(payload), Some(options)) =
            (JsonObject::from_value(payload), JsonObject::from_value(options))
        else {
            return Ok(None);
        };
        let priority = priority(&payload, &options)?;
        if payload.is_empty() {
            return Ok(None);
        }
        let ids = removal::message_ids_to_send(&payload);
        let mut data = Data::with_priority(priority);
        for (name, value) in payload.iter() {
            match &ids {
                Some(ids) if name == "zulip_message_ids" => data.add(name, ids),
                _ => data.add(name, &python_str(value)?),
            }
        }
        let about = About::of(&payload);
        Ok((data.bytes > 0).then(|| Self { about, ..data.finish() }))
    }

    /// The message of a test notification: what the server sent, and what makes it a test.
    ///
    /// # Errors
    ///
    /// When a value has no text.
    pub fn test(payload: &JsonObject<'_>, time: i64) -> Result<Self, FcmMessageError> {
        let mut data = Data::with_priority("high");
        for (name, value) in payload.iter().filter(|(name, _)| !matches!(*name, "event" | "time")) {
            data.add(name, &python_str(value)?);
        }
        data.add("event", "test");
        data.add("time", &time.to_string());
        Ok(data.finish())
    }

    /// An encrypted message: its ciphertext, and the name and number of what it was encrypted with.
    #[must_use]
    pub fn e2ee(key: (&str, i64), encrypted_data: &str, priority: FcmPriority) -> Self {
        let mut data = Data::with_priority(priority.as_str());
        data.add(key.0, &key.1.to_string());
        data.add("encrypted_data", encrypted_data);
        data.finish()
    }

    /// A message for phones that no project of the operator reaches: it says nothing.
    #[must_use]
    pub fn unsent() -> Self {
        Data::with_priority("normal").finish()
    }

    /// Whether Google would refuse it for its size.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.data_bytes > MAX_DATA_BYTES
    }

    /// What it is about.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The part of the body that all devices share.
    #[must_use]
    pub fn shared_body(&self) -> &Bytes {
        &self.shared
    }

    /// The body for one device.
    pub(super) fn body(&self, token: &DeviceToken) -> Body {
        let mut own = Vec::with_capacity(token.expose().len() + 32);
        own.extend_from_slice(b"{\"message\":{\"token\":");
        write_text(&mut own, token.expose());
        Body { own: own.into(), shared: self.shared.clone() }
    }
}

/// The `data` of a message, being written.
struct Data {
    text: Vec<u8>,
    bytes: usize,
}

impl Data {
    fn with_priority(priority: &'static str) -> Self {
        let text = format!(",\"android\":{{\"priority\":\"{priority}\"}},\"data\":{{");
        Self { text: text.into_bytes(), bytes: 0 }
    }

    fn add(&mut self, name: &str, value: &str) {
        if is_reserved(name) {
            return;
        }
        if !self.text.ends_with(b"{") {
            self.text.push(b',');
        }
        self.bytes += name.len() + value.len();
        write_text(&mut self.text, name);
        self.text.push(b':');
        write_text(&mut self.text, value);
    }

    fn finish(mut self) -> FcmMessage {
        self.text.extend_from_slice(b"}}}");
        FcmMessage { shared: self.text.into(), data_bytes: self.bytes, about: About::default() }
    }
}

/// "The key should not be a reserved word (`from`, `message_type`, or any word starting with `google` or
/// `gcm`)": Google refuses the whole message for one such name, so it is left out.
/// <https://firebase.google.com/docs/cloud-messaging/concept-options#data_messages>
fn is_reserved(name: &str) -> bool {
    matches!(name, "from" | "message_type") || name.starts_with("google") || name.starts_with("gcm")
}

fn priority(
    payload: &JsonObject<'_>,
    options: &JsonObject<'_>,
) -> Result<&'static str, FcmMessageError> {
    let given = options.get("priority").filter(|value| value.get() != "null");
    let priority = match given {
        None if payload.get_text("event").as_deref() == Some("message") => "high",
        None => "normal",
        Some(value) => match json_object::text(value).as_deref() {
            Some("high") => "high",
            Some("normal") => "normal",
            _ => return Err(FcmMessageError::Priority(python_repr(value)?)),
        },
    };
    let others: Vec<_> = options.iter().filter(|(name, _)| *name != "priority").collect();
    if others.is_empty() { Ok(priority) } else { Err(FcmMessageError::Options(compact(&others))) }
}

/// JSON without blanks, for an error's text.
fn compact(members: &[(&str, &RawValue)]) -> String {
    let members: Vec<Cow<'_, str>> = members
        .iter()
        .map(|(name, value)| {
            let name = serde_json::Value::from(*name);
            match serde_json::from_str::<serde_json::Value>(value.get()) {
                Ok(value) => format!("{name}:{value}").into(),
                // Nested too deep to be read again.
                Err(_) => format!("{name}:…").into(),
            }
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    fn message(payload: &Value, options: &Value) -> Result<Option<Value>, String> {
        let (payload, options) = (to_raw_value(payload).unwrap(), to_raw_value(options).unwrap());
        let message = FcmMessage::legacy(&payload, &options).map_err(|error| error.to_string())?;
        Ok(message.map(|message| {
            let body = message.body(&DeviceToken::from_stored("t\"1"));
            serde_json::from_slice(&[body.own, body.shared].concat()).unwrap()
        }))
    }

    #[test]
    fn values_become_texts_as_python_writes_them() {
        let payload =
            json!({"event": "message", "t": true, "i": 7, "n": null, "l": [1, "a"], "s": "ü"});
        let expected = json!({"message": {
            "token": "t\"1",
            "android": {"priority": "high"},
            "data": {"event": "message", "t": "True", "i": "7", "n": "None", "l": "[1, 'a']", "s": "ü"},
        }});
        assert_eq!(message(&payload, &json!({})).unwrap().unwrap(), expected);
    }

    #[test]
    fn the_priority_is_the_given_one_or_follows_the_event() {
        let priority = |event: &str, options: Value| {
            message(&json!({"event": event}), &options).map(|message| {
                message.unwrap()["message"]["android"]["priority"].as_str().unwrap().to_owned()
            })
        };
        assert_eq!(priority("message", json!({})).unwrap(), "high");
        assert_eq!(priority("remove", json!({"priority": null})).unwrap(), "normal");
        assert_eq!(priority("remove", json!({"priority": "high"})).unwrap(), "high");
        assert_eq!(
            priority("message", json!({"priority": "invalid"})).unwrap_err(),
            "priority 'invalid'"
        );
        assert_eq!(priority("message", json!({"priority": 5})).unwrap_err(), "priority 5");
        let both = json!({"invalid": true, "priority": "high"});
        assert_eq!(priority("message", both).unwrap_err(), "options {\"invalid\":true}");
    }

    #[test]
    fn an_encrypted_message_has_texts_only() {
        let key = ("push_key_id", i64::from(u32::MAX));
        let message = FcmMessage::e2ee(key, "AAEC", FcmPriority::Normal);
        let body = message.body(&DeviceToken::from_stored("t"));
        let body: Value = serde_json::from_slice(&[body.own, body.shared].concat()).unwrap();
        let expected = json!({"message": {
            "token": "t",
            "android": {"priority": "normal"},
            "data": {"push_key_id": "4294967295", "encrypted_data": "AAEC"},
        }});
        assert_eq!(body, expected);
        assert!(!FcmMessage::e2ee(key, &"A".repeat(4061), FcmPriority::High).is_too_large());
        assert!(FcmMessage::e2ee(key, &"A".repeat(4062), FcmPriority::High).is_too_large());
    }

    #[test]
    fn names_that_google_reserves_are_left_out() {
        let payload = json!({"from": "x", "google.a": "1", "gcm.b": "2", "event": "message"});
        let sent = message(&payload, &json!({})).unwrap().unwrap();
        assert_eq!(sent["message"]["data"], json!({"event": "message"}));
    }

    #[test]
    fn an_empty_payload_is_no_message_yet_its_options_are_checked() {
        assert!(message(&json!({}), &json!({})).unwrap().is_none());
        assert!(message(&json!({}), &json!({"priority": 1})).is_err());
    }
}
