//! What a phone writes into a registration before it is sealed.

use serde_json::value::RawValue;

use crate::domain::{
    device::{AppId, DeviceToken, Provider},
    e2ee_device::TokenId,
    json_object::{self, JsonObject},
};

/// A registration as the phone wrote it. It has no `Debug`.
pub(super) struct Plaintext {
    pub(super) provider: Provider,
    pub(super) token: DeviceToken,
    /// Of the token's text before anything was done to it.
    pub(super) token_id: TokenId,
    pub(super) app_id: Option<AppId>,
    /// When it was made, in Unix seconds by the phone's clock.
    pub(super) timestamp: i64,
}

impl Plaintext {
    /// The registration in an opened box; members nobody knows are ignored, of repeated ones the last counts.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let object = JsonObject::parse(std::str::from_utf8(text).ok()?).ok()?;
        let text = object.get_text("token")?;
        let provider = match &*object.get_text("token_kind")? {
            "apns" => Provider::Apns,
            "fcm" => Provider::Fcm,
            _ => return None,
        };
        let token = DeviceToken::parse(provider, &text).ok()?;
        let app_id = object.get("ios_app_id").filter(|value| value.get() != "null");
        let app_id = match (provider, app_id) {
            (Provider::Apns, Some(app_id)) => Some(AppId::parse(&json_object::text(app_id)?)?),
            (Provider::Fcm, None) => None,
            (Provider::Apns, None) | (Provider::Fcm, Some(_)) => return None,
        };
        let timestamp = seconds(object.get("timestamp")?)?;
        Some(Self { provider, token, token_id: TokenId::of(&text), app_id, timestamp })
    }
}

/// A whole number, however it is written: `5`, `5.0`, `"5"`. One that is out of range is as far away as
/// can be told.
fn seconds(value: &RawValue) -> Option<i64> {
    let text = json_object::text(value);
    let number = match &text {
        Some(text) => text.trim(),
        None => value.get(),
    };
    if let Ok(seconds) = number.parse() {
        return Some(seconds);
    }
    let is_number =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    // Rust would also read `inf` and `NaN`.
    if !number.bytes().all(is_number) {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and saturates")]
    (number.is_finite() && number.fract() == 0.0).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn apns() -> Value {
        json!({"token": "C0 ffee", "token_kind": "apns", "ios_app_id": "org.example.App", "timestamp": 5})
    }

    fn fcm() -> Value {
        json!({"token": "a:B", "token_kind": "fcm", "timestamp": 5})
    }

    fn parse(value: &Value) -> Option<Plaintext> {
        Plaintext::parse(value.to_string().as_bytes())
    }

    fn with(mut value: Value, name: &str, changed: Value) -> Value {
        value[name] = changed;
        value
    }

    fn without(mut value: Value, name: &str) -> Value {
        value.as_object_mut().unwrap().remove(name);
        value
    }

    #[test]
    fn a_registration_names_token_and_app() {
        let parsed = parse(&apns()).unwrap();
        assert_eq!((parsed.provider, parsed.token.expose()), (Provider::Apns, "c0ffee"));
        assert_eq!(parsed.token_id, TokenId::of("C0 ffee"), "as the phone wrote it");
        assert_eq!(parsed.app_id.unwrap().as_str(), "org.example.App");
        assert_eq!(parsed.timestamp, 5);
        let parsed = parse(&with(fcm(), "ios_app_id", Value::Null)).unwrap();
        assert_eq!((parsed.provider, parsed.token.expose()), (Provider::Fcm, "a:B"));
        assert!(parsed.app_id.is_none());
    }

    #[test]
    fn other_members_are_ignored_and_of_repeated_ones_the_last_counts() {
        assert!(parse(&with(fcm(), "more", json!([1, {}]))).is_some());
        let text = r#"{"token":5,"timestamp":1,"token_kind":"fcm","token":"a","timestamp":2}"#;
        let parsed = Plaintext::parse(text.as_bytes()).unwrap();
        assert_eq!((parsed.token.expose(), parsed.timestamp), ("a", 2));
    }

    #[test]
    fn a_time_is_a_whole_number_however_it_is_written() {
        for (value, expected) in [
            (json!(1_700_000_000), 1_700_000_000),
            (json!(1_700_000_000.0), 1_700_000_000),
            (json!("1700000000"), 1_700_000_000),
            (json!(" 17.0 "), 17),
            (json!(-5), -5),
            (json!(u64::MAX), i64::MAX),
        ] {
            let parsed = parse(&with(fcm(), "timestamp", value.clone()));
            assert_eq!(parsed.map(|parsed| parsed.timestamp), Some(expected), "{value}");
        }
        let text = r#"{"token":"a","token_kind":"fcm","timestamp":1.7e9}"#;
        assert_eq!(Plaintext::parse(text.as_bytes()).unwrap().timestamp, 1_700_000_000);
        let others = [
            json!(1.5),
            json!("1.5"),
            json!(""),
            json!("x"),
            json!("inf"),
            json!(true),
            json!([5]),
            Value::Null,
        ];
        for value in others {
            assert!(parse(&with(fcm(), "timestamp", value.clone())).is_none(), "{value}");
        }
        let text = r#"{"token":"a","token_kind":"fcm","timestamp":1e400}"#;
        assert!(Plaintext::parse(text.as_bytes()).is_none());
    }

    #[test]
    fn what_is_missing_or_wrong_makes_it_none() {
        for name in ["token", "token_kind", "ios_app_id", "timestamp"] {
            assert!(parse(&without(apns(), name)).is_none(), "{name} is missing");
            assert!(parse(&with(apns(), name, json!({}))).is_none(), "{name} is an object");
        }
        for (name, value) in [
            ("token", json!("")),
            ("token", json!("c0ffe")),
            ("token", json!("no hex")),
            ("token", json!("ab".repeat(2049))),
            ("token_kind", json!("ios")),
            ("token_kind", json!("APNS")),
            ("token_kind", json!(1)),
            ("ios_app_id", json!("")),
            ("ios_app_id", json!("org example")),
            ("ios_app_id", Value::Null),
        ] {
            assert!(parse(&with(apns(), name, value.clone())).is_none(), "{name}: {value}");
        }
        assert!(parse(&with(fcm(), "ios_app_id", json!("org.example.App"))).is_none());
        assert!(parse(&with(fcm(), "ios_app_id", json!(""))).is_none());
        assert!(parse(&with(fcm(), "token", json!("a\0"))).is_none());
        assert!(parse(&with(fcm(), "token", json!("ö".repeat(4097)))).is_none());
        for text in ["", "[]", "null", "{", "\u{feff}{}", "{} x"] {
            assert!(Plaintext::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Plaintext::parse(b"\xff").is_none());
    }
}
