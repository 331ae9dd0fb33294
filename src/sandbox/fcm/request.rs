//! What the sandbox remembers of a message sent to it.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    clock::Timestamp,
    sandbox::{control::payload, fake::Remembered},
};

/// A request as it arrived, and what it was answered. It has no `Debug`: tokens and payloads are
/// not printed.
#[derive(Clone)]
pub struct FcmRequest {
    /// When it arrived.
    pub time: Timestamp,
    /// The number of the connection it came on, from 1 on.
    pub connection: u64,
    /// The project in the path.
    pub project_id: String,
    /// The registration token; empty when the request has none or cannot be read.
    pub token: String,
    /// Whether it was a rehearsal.
    pub validate_only: bool,
    /// The body, of which at most 8 KiB are remembered; empty in a log without bodies.
    pub body: Bytes,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Why it was refused; none when it was accepted.
    pub error_code: Option<Cow<'static, str>>,
    /// Whether the answer was kept from the client on purpose: by a reset or a cut after this.
    pub is_answer_lost: bool,
}

impl FcmRequest {
    /// Whether the message was accepted, which the client may not have heard.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.status == 200
    }
}

impl Remembered for FcmRequest {
    fn is_accepted(&self) -> bool {
        Self::is_accepted(self)
    }

    fn token(&self) -> &str {
        &self.token
    }

    fn describe(&self) -> Value {
        json!({
            "time_ms": self.time.unix_millis(),
            "connection": self.connection,
            "project_id": self.project_id,
            "token": self.token,
            "validate_only": self.validate_only,
            "payload": payload(&self.body),
            "status": self.status,
            "error_code": self.error_code,
            "is_accepted": self.is_accepted(),
            "is_answer_lost": self.is_answer_lost,
        })
    }
}
