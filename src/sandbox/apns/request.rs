//! What the sandbox remembers of a notification sent to it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri, request::Parts};
use serde_json::{Map, Value, json};

use super::rules::APNS_ID;
use crate::{
    clock::Timestamp,
    sandbox::{control::payload, fake::Remembered, request_log::remembered},
};

/// A request as it arrived, and what it was answered. It has no `Debug`: tokens and payloads are
/// not printed.
#[derive(Clone)]
pub struct ApnsRequest {
    /// When it arrived.
    pub time: Timestamp,
    /// Its method: `POST` when it is right.
    pub method: Method,
    /// The number of the connection it came on, from 1 on.
    pub connection: u64,
    /// The payload, of which at most 8 KiB are remembered; empty in a log without bodies.
    pub body: Bytes,
    /// The status of the answer.
    pub status: u16,
    /// Why it was refused; none when it was accepted.
    pub reason: Option<Cow<'static, str>>,
    /// Whether the answer was kept from the client on purpose: by a reset or a cut after this.
    pub is_answer_lost: bool,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What became of a request.
pub(super) struct Fate {
    pub(super) time: Timestamp,
    pub(super) connection: u64,
    pub(super) status: u16,
    pub(super) reason: Option<Cow<'static, str>>,
    pub(super) is_answer_lost: bool,
}

impl ApnsRequest {
    pub(super) fn new(fate: Fate, head: Parts, body: &[u8], with_body: bool) -> Self {
        let Fate { time, connection, status, reason, is_answer_lost } = fate;
        let kept = |(name, value): (&HeaderName, &HeaderValue)| {
            let is_kept =
                if with_body { name.as_str().starts_with("apns-") } else { *name == APNS_ID };
            is_kept.then(|| (name.clone(), value.clone()))
        };
        Self {
            time,
            method: head.method,
            connection,
            body: if with_body { remembered(body) } else { Bytes::new() },
            status,
            reason,
            is_answer_lost,
            headers: head.headers.iter().filter_map(kept).collect(),
            uri: head.uri,
        }
    }

    /// Whether the notification was accepted, which the client may not have heard.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.status == 200
    }

    /// The client's `apns-id`, if it gave one.
    #[must_use]
    pub fn apns_id(&self) -> Option<&str> {
        self.header("apns-id")
    }

    /// The device token: the last part of the path.
    #[must_use]
    pub fn token(&self) -> &str {
        self.uri.path().rsplit('/').next().unwrap_or_default()
    }

    /// The whole path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The value of an `apns-*` header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// All `apns-*` headers.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
    }
}

impl Remembered for ApnsRequest {
    fn is_accepted(&self) -> bool {
        Self::is_accepted(self)
    }

    fn token(&self) -> &str {
        Self::token(self)
    }

    fn describe(&self) -> Value {
        let headers: Map<String, Value> =
            self.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({
            "time_ms": self.time.unix_millis(),
            "connection": self.connection,
            "method": self.method.as_str(),
            "path": self.path(),
            "token": self.token(),
            "headers": headers,
            "payload": payload(&self.body),
            "status": self.status,
            "reason": self.reason,
            "is_accepted": self.is_accepted(),
            "is_answer_lost": self.is_answer_lost,
        })
    }
}
