//! What a chat server knows of a phone that encrypts: where to send, and what to encrypt with.

use serde_json::{Value, json};

use super::PushKey;
use crate::{domain::device::Provider, random::Random};

/// A phone as its chat server knows it. It has no `Debug`: keys are not printed.
pub struct PushDevice {
    pub(super) provider: Provider,
    pub(super) token_id: String,
    pub(super) push_key: PushKey,
}

impl PushDevice {
    /// What the bouncer calls the phone.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// The key shared with the app.
    #[must_use]
    pub fn push_key(&self) -> &PushKey {
        &self.push_key
    }

    /// One of the `push_requests` of `push/e2ee/notify`, which says this to the phone and to nobody
    /// else. As Zulip's server does it, all but removals are urgent.
    #[must_use]
    pub fn push_request(&self, plaintext: &Value, random: &Random) -> Value {
        let quiet = plaintext["type"] == "remove";
        let mut payload = json!({
            "push_key_id": self.push_key.id(),
            "encrypted_data": self.push_key.encrypt(plaintext, random),
        });
        match self.provider {
            Provider::Apns => {
                payload["aps"] =
                    json!({"mutable-content": 1, "alert": {"title": "New notification"}});
                let (priority, push_type) = if quiet { (5, "background") } else { (10, "alert") };
                json!({
                    "token_id": self.token_id,
                    "http_headers": {"apns_priority": priority, "apns_push_type": push_type},
                    "payload": payload,
                })
            }
            Provider::Fcm => json!({
                "token_id": self.token_id,
                "fcm_priority": if quiet { "normal" } else { "high" },
                "payload": payload,
            }),
        }
    }
}
