//! What comes of a request: an answer, or what a fault makes of it.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Response;

use crate::sandbox::faults::Act;

/// What becomes of a request.
pub(in crate::sandbox) enum Reply {
    /// This answer.
    Answer(Response<Bytes>),
    /// The stream is reset with this code.
    Reset(Reason),
    /// The connection is closed.
    Cut,
    /// GOAWAY, with this stream as the first that is not processed.
    Goaway {
        /// The error code.
        code: Reason,
        /// What the debug data say; empty for none.
        reason: String,
    },
    /// Nothing, for ever.
    Nothing,
}

/// What a fault wants of an answer that is given.
pub(in crate::sandbox) struct Wanted {
    /// It comes so much later.
    pub(in crate::sandbox) delay: Duration,
    /// What the rules would accept is refused with this reason.
    pub(in crate::sandbox) refusal: Option<String>,
    /// It is given, and lost on the way.
    pub(in crate::sandbox) loss: Option<Reply>,
}

impl Wanted {
    /// What `act` wants of the answer.
    ///
    /// # Errors
    ///
    /// When it wants no answer, what comes in its place.
    pub(in crate::sandbox) fn of(act: Act) -> Result<Self, Box<Reply>> {
        let wanted = Self { delay: Duration::ZERO, refusal: None, loss: None };
        match act {
            Act::Answer => Ok(wanted),
            Act::AnswerAfter(delay) => Ok(Self { delay, ..wanted }),
            Act::Refuse(name) => Ok(Self { refusal: Some(name), ..wanted }),
            Act::Reset { code, is_accepted: true } => {
                Ok(Self { loss: Some(Reply::Reset(code)), ..wanted })
            }
            Act::Cut { is_accepted: true } => Ok(Self { loss: Some(Reply::Cut), ..wanted }),
            Act::Reset { code, is_accepted: false } => Err(Box::new(Reply::Reset(code))),
            Act::Cut { is_accepted: false } => Err(Box::new(Reply::Cut)),
            Act::Goaway { code, reason } => Err(Box::new(Reply::Goaway { code, reason })),
            Act::Swallow => Err(Box::new(Reply::Nothing)),
        }
    }
}
