//! What a fake asks its faults while it serves.

use std::{
    sync::atomic::Ordering,
    time::{Duration, UNIX_EPOCH},
};

use http::HeaderValue;

use super::{Act, Cut, Faults, Goaway, Line, Outage, Place, Reset, Seen, TokenAge, TokenOutage};
use crate::clock::{Clock, Timestamp};

impl Faults {
    /// The time by the provider's own clock.
    pub(in crate::sandbox) fn now(&self, clock: &Clock) -> Timestamp {
        let ahead = self.state.ahead_millis.load(Ordering::Relaxed);
        Timestamp::from_unix_millis(clock.now().unix_millis().saturating_add(ahead))
    }

    /// Whether connections are closed as soon as they come.
    pub(in crate::sandbox) fn refuses(&self) -> bool {
        self.knobs().outage == Some(Outage::Refuse)
    }

    /// The outage of this moment.
    pub(in crate::sandbox) fn outage(&self) -> Option<Outage> {
        self.knobs().outage
    }

    pub(in crate::sandbox) fn token_outage(&self) -> Option<TokenOutage> {
        self.knobs().token_outage
    }

    /// The fate of a connection that has just come, with its number.
    pub(in crate::sandbox) fn line(&self) -> Line {
        let number = self.state.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.state.lines.take(number)
    }

    /// What to do with a notification to this device.
    pub(in crate::sandbox) fn act(&self, place: Place, token: &str, apns_id: Option<&str>) -> Act {
        let number = self.state.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let script = self.knobs().script.clone();
        if let Some(script) = script {
            let seen = Seen {
                number,
                token: token.to_owned(),
                apns_id: apns_id.map(str::to_owned),
                connection: place.connection,
                stream: place.stream,
            };
            let act = script(&seen);
            if !matches!(act, Act::Answer) {
                return act;
            }
        }
        let mut knobs = self.knobs();
        if let Some(Reset { count, code, is_accepted }) = knobs.reset {
            knobs.reset = (count > 1).then_some(Reset { count: count - 1, code, is_accepted });
            return Act::Reset { code, is_accepted };
        }
        if let Some(Cut { count, is_accepted }) = knobs.cut {
            knobs.cut = (count > 1).then_some(Cut { count: count - 1, is_accepted });
            return Act::Cut { is_accepted };
        }
        Act::Answer
    }

    /// Whether a GOAWAY is to be said when a stream arrives; `counted` is the connection's own.
    pub(in crate::sandbox) fn goaway_now(&self, counted: &mut CountedStreams) -> Option<Goaway> {
        let mut knobs = self.knobs();
        if counted.goaway_number != knobs.goaway_number {
            *counted = CountedStreams { goaway_number: knobs.goaway_number, streams: 0 };
        }
        counted.streams = counted.streams.saturating_add(1);
        let goaway = knobs.goaway.as_mut()?;
        if counted.streams < goaway.at_stream {
            return None;
        }
        let said = goaway.clone();
        goaway.times -= 1;
        if goaway.times == 0 {
            knobs.goaway = None;
        }
        Some(said)
    }

    /// Waits as long as an answer waits, and `longer` besides.
    pub(in crate::sandbox) async fn pause(&self, longer: Duration) {
        self.state.pause.wait(longer).await;
    }

    /// When a device of that status was gone.
    pub(in crate::sandbox) fn gone_at(&self) -> Option<Timestamp> {
        self.knobs().gone_at
    }

    /// What `Retry-After` says in an answer of this status.
    pub(in crate::sandbox) fn retry_after(&self, status: u16) -> Option<HeaderValue> {
        let retry_after = self.knobs().retry_after.filter(|_| matches!(status, 429 | 503))?;
        Some(HeaderValue::from(retry_after.as_secs()))
    }

    /// The stamp of a token that is seen, or given out, for the first time.
    pub(in crate::sandbox) fn stamp(&self) -> u64 {
        self.state.tokens.stamp()
    }

    /// What became of a token with this stamp.
    pub(in crate::sandbox) fn age(&self, stamp: u64) -> TokenAge {
        self.state.tokens.age(stamp)
    }
}

/// How many streams a connection has seen since the last GOAWAY was asked for.
#[derive(Default)]
pub(in crate::sandbox) struct CountedStreams {
    goaway_number: u64,
    streams: u32,
}

/// The `date` of an answer: to the second, as HTTP has it.
pub(in crate::sandbox) fn date(now: Timestamp) -> HeaderValue {
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let moment = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND));
    HeaderValue::from_str(&httpdate::fmt_http_date(moment)).expect("a date is plain ASCII")
}

/// The end of the year 9999, which HTTP's dates cannot pass.
const LAST_SECOND: u64 = 253_402_300_799;
