//! Who gets notifications: users, their phones, and what is written to them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Kind, TOPICS};

/// A user as a chat server names one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    id: Option<i64>,
    uuid: Option<&'static str>,
}

/// A user with both identities, as chat servers since 5.0 name them.
pub(crate) const IAGO: User =
    User { id: Some(7), uuid: Some("5f0c2d8e-6a43-4c58-9a4b-1f0f7b8c2d11") };

/// A phone with the app on it.
#[derive(Clone, Debug)]
pub(crate) struct Phone {
    /// The push service that reaches it.
    pub(crate) kind: Kind,
    /// Its token.
    pub(crate) token: String,
    /// The app on an Apple phone.
    pub(crate) app_id: &'static str,
}

impl User {
    /// The same user, named by number only.
    pub(crate) fn by_id(self) -> Self {
        Self { uuid: None, ..self }
    }

    /// The same user, named by UUID only.
    pub(crate) fn by_uuid(self) -> Self {
        Self { id: None, ..self }
    }

    /// One of many users of the same server, who are named by number only.
    pub(crate) const fn number(number: i64) -> Self {
        Self { id: Some(number), uuid: None }
    }

    /// Another user of the same server.
    pub(crate) fn other() -> Self {
        Self { id: Some(8), uuid: Some("c0c0a0de-1111-4222-8333-444455556666") }
    }

    /// The fields of a form.
    pub(crate) fn fields(self) -> Vec<(&'static str, String)> {
        let id = self.id.map(|id| ("user_id", id.to_string()));
        let uuid = self.uuid.map(|uuid| ("user_uuid", uuid.to_owned()));
        id.into_iter().chain(uuid).collect()
    }
}

impl Phone {
    /// An Apple phone whose token is the hexadecimal digits of `words`, in lower case.
    pub(crate) fn apple(words: &str) -> Self {
        let token = words.bytes().map(|byte| format!("{byte:02x}")).collect();
        Self { kind: Kind::Apns, token, app_id: TOPICS[0] }
    }

    /// An Android phone whose token is `words`.
    pub(crate) fn android(words: &str) -> Self {
        Self { kind: Kind::Fcm, token: words.to_owned(), app_id: TOPICS[0] }
    }

    /// The number of its push service on the wire.
    pub(crate) fn token_kind(&self) -> i64 {
        match self.kind {
            Kind::Apns => 1,
            Kind::Fcm => 2,
        }
    }

    /// The fields of a form that name it.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        vec![("token", self.token.clone()), ("token_kind", self.token_kind().to_string())]
    }
}

/// The payloads of a new message. No two are equal: a request that comes again is not sent again.
pub(crate) fn message() -> Value {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    json!({
        "number": NUMBER.fetch_add(1, Ordering::Relaxed),
        "gcm_payload": {"event": "message", "zulip_message_id": 9, "content": "Hello"},
        "gcm_options": {"priority": "high"},
        "apns_payload": {
            "alert": {"title": "Cordelia", "body": "Hello"},
            "sound": "default",
            "badge": 0,
            "custom": {"zulip": {"message_ids": [9]}},
        },
    })
}

/// `document` with the members that name `user`.
pub(crate) fn to(user: User, mut document: Value) -> Value {
    if let Some(id) = user.id {
        document["user_id"] = id.into();
    }
    if let Some(uuid) = user.uuid {
        document["user_uuid"] = uuid.into();
    }
    document
}
