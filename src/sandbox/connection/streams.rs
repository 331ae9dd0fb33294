//! Which streams of a connection are processed, and the GOAWAY that ends them.

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};

use crate::sandbox::{
    faults::{CountedStreams, Faults, Goaway, Place},
    settings_rewriter::Wire,
};

/// How far a GOAWAY has come.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Staying,
    /// It has been said; what came before is being answered.
    Leaving,
    /// All has been answered.
    Left,
}

/// The streams of one connection.
#[derive(Default)]
pub(super) struct Streams {
    /// The connection, and the number of the last stream that arrived.
    pub(super) place: Place,
    /// HTTP/2's id of the last stream that may be processed.
    last_id: u32,
    counted: CountedStreams,
    pub(super) state: State,
    /// Streams that arrived after the GOAWAY; no more than the client may have open.
    pub(super) held: Vec<Held>,
}

impl Streams {
    /// No streams yet on the connection of this number.
    pub(super) fn of(connection: u64) -> Self {
        Self { place: Place { connection, stream: 0 }, ..Self::default() }
    }

    /// Notes a stream; says whether it is to be processed.
    pub(super) fn arrive(
        &mut self,
        respond: &SendResponse<Bytes>,
        faults: &Faults,
        wire: &Wire,
    ) -> bool {
        self.place.stream = self.place.stream.saturating_add(1);
        if self.state != State::Staying {
            return false;
        }
        if let Some(Goaway { code, reason, .. }) = faults.goaway_now(&mut self.counted) {
            self.leave(wire, code, &reason);
            return false;
        }
        self.last_id = respond.stream_id().as_u32();
        true
    }

    /// Says GOAWAY in the name of a stream that has not been processed.
    pub(super) fn leave_before(&mut self, mut held: Held, wire: &Wire, code: Reason, reason: &str) {
        if self.state != State::Staying || held.respond.stream_id().as_u32() != self.last_id {
            // Later streams are being processed already, so GOAWAY could not say of this one that it
            // is not.
            held.respond.send_reset(Reason::REFUSED_STREAM);
        } else {
            // The ids of a client's streams are odd.
            self.last_id = self.last_id.saturating_sub(2);
            self.held.push(held);
        }
        if self.state == State::Staying {
            self.leave(wire, code, reason);
        }
    }

    fn leave(&mut self, wire: &Wire, code: Reason, reason: &str) {
        self.state = State::Leaving;
        wire.inject(&goaway(self.last_id, code, reason));
    }
}

/// A [GOAWAY frame](https://www.rfc-editor.org/rfc/rfc9113#section-6.8), with debug data as Apple's
/// ("the reason key, whose value indicates the reason for the connection termination").
fn goaway(last_stream_id: u32, code: Reason, reason: &str) -> Vec<u8> {
    let data = if reason.is_empty() {
        String::new()
    } else {
        serde_json::json!({ "reason": reason }).to_string()
    };
    let data = &data.as_bytes()[..data.len().min(LONGEST_DEBUG_DATA)];
    let length = u32::try_from(8 + data.len()).unwrap_or(8).to_be_bytes();
    let [_, length @ ..] = length;
    [
        &length[..],
        &[GOAWAY_FRAME, 0, 0, 0, 0, 0],
        &last_stream_id.to_be_bytes(),
        &u32::from(code).to_be_bytes(),
        data,
    ]
    .concat()
}

const GOAWAY_FRAME: u8 = 7;
/// A frame has at most 16 KiB when nothing else was agreed upon.
const LONGEST_DEBUG_DATA: usize = 8 << 10;

/// A stream that is neither processed nor reset, which it would be when it is dropped.
pub(super) struct Held {
    pub(super) _body: Option<RecvStream>,
    pub(super) respond: SendResponse<Bytes>,
}
