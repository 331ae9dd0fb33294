//! What can be done to one request instead of answering it.

use std::time::Duration;

use h2::Reason;
use serde::{Deserialize, Serialize};

use super::document::{code, no_error, one};

/// A GOAWAY on the connection whose `at_stream`-th stream arrives, counted from the moment it was
/// asked for.
///
/// Its last stream id is that of the stream before; the streams at and above `at_stream` are
/// neither processed nor logged, those below are answered, then the connection closes. HTTP/1.1
/// connections have no such thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goaway {
    /// Which stream is the first that is not processed; 0 and 1 are the next.
    #[serde(default = "one")]
    pub at_stream: u32,
    /// The error code: `NO_ERROR` for a polite one.
    #[serde(default = "no_error", with = "code")]
    pub code: Reason,
    /// What the debug data say, as Apple's: `{"reason":"…"}`; empty for none.
    #[serde(default)]
    pub reason: String,
    /// On how many connections.
    #[serde(default = "one")]
    pub times: u32,
}

/// Resets of the next streams; on HTTP/1.1 the connection is closed instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// How many streams.
    #[serde(default = "one")]
    pub count: u32,
    /// The error code.
    #[serde(with = "code")]
    pub code: Reason,
    /// Whether the notification is processed and logged first, so that only the answer is lost.
    #[serde(default)]
    pub is_accepted: bool,
}

/// The end of the TCP connection at the next requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// How many requests.
    #[serde(default = "one")]
    pub count: u32,
    /// Whether the notification is processed and logged first, so that only the answer is lost.
    #[serde(default)]
    pub is_accepted: bool,
}

/// A request as a script sees it. It has no `Debug`: tokens are not printed.
#[derive(Clone)]
pub struct Seen {
    /// Its number among the requests of this fake, from 1 on; a reset does not start it anew.
    pub number: u64,
    /// The device token as it came, not checked yet.
    pub token: String,
    /// Apple's `apns-id`, if the client gave one.
    pub apns_id: Option<String>,
    /// The number of the connection, from 1 on.
    pub connection: u64,
    /// The number of the stream on its connection, from 1 on: not HTTP/2's id of it.
    pub stream: u32,
}

/// What a script wants done with a request.
///
/// What is neither answered nor accepted is not logged; `is_accepted` means that the request is
/// judged by the rules and logged as usual, and only its answer is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answer by the rules.
    Answer,
    /// Answer by the rules, so much later; it is judged and logged at once.
    AnswerAfter(Duration),
    /// Answer what the rules would accept with this reason or error code of the service's table;
    /// `INVALID_ARGUMENT:message.data` names the field that Google calls invalid.
    Refuse(String),
    /// Reset the stream.
    Reset {
        /// The error code.
        code: Reason,
        /// Whether it is processed and logged first.
        is_accepted: bool,
    },
    /// Close the TCP connection.
    Cut {
        /// Whether it is processed and logged first.
        is_accepted: bool,
    },
    /// Say GOAWAY; this stream is the first that is not processed. If a later one has been processed
    /// already, this one is reset with `REFUSED_STREAM` instead and the GOAWAY names that later one.
    Goaway {
        /// The error code.
        code: Reason,
        /// What the debug data say; empty for none.
        reason: String,
    },
    /// Take it and never answer; it is not processed.
    Swallow,
}

/// Where a request came in.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::sandbox) struct Place {
    /// The number of the connection, from 1 on.
    pub(in crate::sandbox) connection: u64,
    /// The number of the stream on it, from 1 on.
    pub(in crate::sandbox) stream: u32,
}
