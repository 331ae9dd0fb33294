//! What the sandbox remembers of a notification sent to it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri, request::Parts};

use crate::{clock::Timestamp, sandbox::request_log::remembered};

/// A request as it arrived, and what it was answered. It has no `Debug`: tokens and payloads are
/// not printed.
#[derive(Clone)]
pub struct ApnsRequest {
    /// When it arrived.
    pub time: Timestamp,
    /// Its method: `POST` when it is right.
    pub method: Method,
    /// The payload, of which at most 8 KiB are remembered.
    pub body: Bytes,
    /// The status of the answer.
    pub status: u16,
    /// Why it was refused; none when it was accepted.
    pub reason: Option<Cow<'static, str>>,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApnsRequest {
    pub(super) fn new(
        time: Timestamp,
        head: Parts,
        body: Bytes,
        status: u16,
        reason: Option<Cow<'static, str>>,
    ) -> Self {
        let apns = |(name, value): (&HeaderName, &HeaderValue)| {
            name.as_str().starts_with("apns-").then(|| (name.clone(), value.clone()))
        };
        let headers = head.headers.iter().filter_map(apns).collect();
        Self {
            time,
            method: head.method,
            body: remembered(body),
            status,
            reason,
            uri: head.uri,
            headers,
        }
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
