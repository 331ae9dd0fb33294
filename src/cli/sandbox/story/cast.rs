//! Iago's phones, and what they show of what reaches them.

use serde_json::Value;

use super::super::report::Received;
use crate::{random::Random, sandbox::phone::Phone};

/// The bundle id of the app on iPhones.
pub(super) const APP: &str = "org.example.chat";

/// A phone with a name for the audience.
pub(super) struct Role {
    /// What the audience calls it.
    pub(super) name: &'static str,
    /// What Apple or Google call it.
    pub(super) token: &'static str,
    /// The number of its push service on the wire.
    pub(super) kind: u8,
}

pub(super) const IPHONE: Role = Role {
    name: "iPhone",
    token: "1ff0a4c8d2b64e0f9a7c3e5d81b2f60412ab34cd56ef7890a1b2c3d4e5f60718",
    kind: 1,
};
pub(super) const ANDROID: Role = Role {
    name: "Android phone",
    token: "fJ3xQ0kPTl2:APA91bExampleOfATokenThatGoogleGaveToAnAndroidPhone",
    kind: 2,
};
pub(super) const NEW_IPHONE: Role = Role {
    name: "new iPhone",
    token: "7c0e5b3a9d1f48268e6b7f2a4c9d0e1335ac46be57d068f1927a3b4c5d6e7f80",
    kind: 1,
};
pub(super) const NEW_ANDROID: Role = Role {
    name: "new Android",
    token: "eW8zRk1qVb4:APA91bExampleOfATokenThatGoogleGaveToANewAndroidPhone",
    kind: 2,
};

/// The phones that encrypt.
pub(super) struct Cast {
    pub(super) iphone: Phone,
    pub(super) android: Phone,
}

impl Cast {
    pub(super) fn new(random: &Random) -> Self {
        Self {
            iphone: Phone::apple(NEW_IPHONE.token, APP, random),
            android: Phone::android(NEW_ANDROID.token, random),
        }
    }

    /// What a payload that Apple delivers makes an iPhone show.
    pub(super) fn by_apple(&self, payload: Value) -> Received {
        if is_encrypted(&payload) {
            read(&self.iphone, &NEW_IPHONE, payload)
        } else {
            iphone(payload)
        }
    }

    /// What a message that Google delivers makes an Android phone show.
    pub(super) fn by_google(&self, body: &Value) -> Received {
        let data = body["message"]["data"].clone();
        if is_encrypted(&data) { read(&self.android, &NEW_ANDROID, data) } else { android(data) }
    }
}

fn is_encrypted(payload: &Value) -> bool {
    payload["encrypted_data"].is_string()
}

fn read(phone: &Phone, role: &Role, payload: Value) -> Received {
    let (readable, event, text, decrypted) = match phone.read(&payload) {
        Ok(plaintext) => {
            let event = word(&plaintext["type"]).to_owned();
            (true, event, shown(&plaintext), Some(plaintext))
        }
        Err(error) => (false, "nothing".to_owned(), error.to_string(), None),
    };
    Received { phone: role.name, event, text, payload, readable, decrypted }
}

/// What a person sees of what was encrypted.
fn shown(plaintext: &Value) -> String {
    match word(&plaintext["type"]) {
        "remove" => format!("takes down message {}", plaintext["message_ids"][0]),
        _ => format!(
            "#{} > {} | {}: {}",
            word(&plaintext["channel_name"]),
            word(&plaintext["topic"]),
            word(&plaintext["sender_full_name"]),
            word(&plaintext["content"])
        ),
    }
}

fn iphone(payload: Value) -> Received {
    let alert = &payload["aps"]["alert"];
    let event = payload["zulip"]["event"].as_str().unwrap_or("message").to_owned();
    let text = match event.as_str() {
        "remove" => format!(
            "takes down message {}; the badge says {}",
            word(&payload["zulip"]["zulip_message_ids"]),
            payload["aps"]["badge"]
        ),
        _ => [&alert["title"], &alert["subtitle"], &alert["body"]]
            .into_iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" | "),
    };
    in_clear(&IPHONE, event, text, payload)
}

fn android(data: Value) -> Received {
    let event = word(&data["event"]).to_owned();
    let text = match event.as_str() {
        "remove" => format!("takes down message {}", word(&data["zulip_message_ids"])),
        "test" => {
            format!("A test from {} ({})", word(&data["realm_name"]), word(&data["realm_url"]))
        }
        _ => format!(
            "#{} > {} | {}: {}",
            word(&data["stream"]),
            word(&data["topic"]),
            word(&data["sender_full_name"]),
            word(&data["content"])
        ),
    };
    in_clear(&ANDROID, event, text, data)
}

fn in_clear(role: &Role, event: String, text: String, payload: Value) -> Received {
    Received { phone: role.name, event, text, payload, readable: true, decrypted: None }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
