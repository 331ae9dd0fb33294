//! What the sandbox remembers of a message sent to it.

use std::borrow::Cow;

use bytes::Bytes;

use crate::clock::Timestamp;

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
