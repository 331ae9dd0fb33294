//! What Google demands of a message before it looks at the device.
//!
//! The rules are those of Google's
//! [reference](https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::error_code::Refusal;

/// "The maximum payload for both message types is 4096 bytes."
const LONGEST_MESSAGE: usize = 4096;
const FIELDS: [&str; 12] = [
    "name",
    "data",
    "notification",
    "android",
    "webpush",
    "apns",
    "fcm_options",
    "fcmOptions",
    "token",
    "fid",
    "topic",
    "condition",
];

/// The body of a send request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendRequest<'a> {
    /// A rehearsal: everything is checked, nothing is sent.
    #[serde(default, alias = "validateOnly")]
    pub(super) validate_only: bool,
    #[serde(borrow)]
    pub(super) message: Message<'a>,
}

/// A message, as far as the sandbox looks into it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) token: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Data<'a>,
    #[serde(borrow, default)]
    notification: Option<&'a RawValue>,
    #[serde(borrow, default)]
    android: Option<Android<'a>>,
    #[serde(rename = "name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "webpush")]
    _webpush: Option<IgnoredAny>,
    #[serde(rename = "apns")]
    _apns: Option<IgnoredAny>,
    #[serde(rename = "fcm_options", alias = "fcmOptions")]
    _fcm_options: Option<IgnoredAny>,
    #[serde(rename = "fid")]
    _fid: Option<IgnoredAny>,
    #[serde(rename = "topic")]
    _topic: Option<IgnoredAny>,
    #[serde(rename = "condition")]
    _condition: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Android<'a> {
    #[serde(borrow, default)]
    priority: Option<Cow<'a, str>>,
}

/// Keys and values in the order they stand in: Google's violations count them.
#[derive(Default)]
struct Data<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> SendRequest<'a> {
    /// Reads a body; the message in it is yet to be checked.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|error| schema_fault(body, &error))
    }
}

impl Message<'_> {
    /// Checks everything but the device.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let mut size = self.notification.map_or(0, |notification| notification.get().len());
        for (at, (key, value)) in self.data.0.iter().enumerate() {
            let Some(length) = string_length(value) else {
                let field = format!("message.data[{at}].value");
                let description = format!("Invalid value at '{field}' (TYPE_STRING), {value}");
                return Err(Refusal::schema(&field, description));
            };
            size += key.len() + length;
        }
        let priority = self.android.as_ref().and_then(|android| android.priority.as_deref());
        if let Some(priority) = priority
            && !matches!(priority, "normal" | "high" | "NORMAL" | "HIGH")
        {
            let description = format!(
                "Invalid value at 'message.android.priority' \
                 (type.googleapis.com/google.firebase.fcm.v1.AndroidConfig.AndroidMessagePriority), \
                 {priority:?}"
            );
            return Err(Refusal::schema("message.android.priority", description));
        }
        if self.token.as_deref().is_none_or(str::is_empty) {
            let description = "Recipient of the message is not set.".to_owned();
            return Err(Refusal::message("message", description));
        }
        if let Some((key, _)) = self.data.0.iter().find(|(key, _)| is_reserved(key)) {
            let description = format!("Invalid data payload key: {key}");
            return Err(Refusal::message("message.data", description));
        }
        if size > LONGEST_MESSAGE {
            let description = "Android message is too big".to_owned();
            return Err(Refusal::message("message.data", description));
        }
        Ok(())
    }
}

/// "The key should not be a reserved word (`from`, `message_type`, or any word starting with
/// `google.` or `gcm.notification.`)"; the older words `google` and `gcm` without a dot are held to
/// be reserved too, which is the safe side.
fn is_reserved(key: &str) -> bool {
    matches!(key, "from" | "message_type") || key.starts_with("google") || key.starts_with("gcm")
}

/// The length of a JSON string's text; none for any other value.
fn string_length(value: &RawValue) -> Option<usize> {
    let text = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if text.contains('\\') {
        serde_json::from_str::<String>(value.get()).ok().map(|text| text.len())
    } else {
        Some(text.len())
    }
}

/// Says in Google's words what does not fit the schema.
fn schema_fault(body: &[u8], error: &serde_json::Error) -> Refusal {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return Refusal::schema("", "Invalid JSON payload received. Parse error.".to_owned());
    };
    let unknown = |name: &str, place: &str| {
        let description = format!(
            "Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."
        );
        Refusal::schema(if place.is_empty() { "" } else { "message" }, description)
    };
    let names = |value: &Value| -> Vec<String> {
        value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
    };
    let top = ["message", "validate_only", "validateOnly"];
    if let Some(name) = names(&request).iter().find(|name| !top.contains(&name.as_str())) {
        return unknown(name, "");
    }
    let message = request.get("message").unwrap_or(&Value::Null);
    if let Some(name) = names(message).iter().find(|name| !FIELDS.contains(&name.as_str())) {
        return unknown(name, " at 'message'");
    }
    let description = format!("Invalid value at 'message' ({error})");
    Refusal::schema("message", description)
}

impl<'de: 'a, 'a> Deserialize<'de> for Data<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Data<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some((Key(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(Data(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// A key that is borrowed when it can be: `Cow` alone would always copy it.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
