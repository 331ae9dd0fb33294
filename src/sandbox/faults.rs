//! What a push service does wrong on purpose, as knobs that can be turned while it runs.
//!
//! Each fake has one set of them, [`super::apns::FakeApns::faults`] and
//! [`super::fcm::FakeFcm::faults`]. All are off at first. What they do to a request is decided in
//! this order: an outage, the script, a reset, a cut, the rules of the service, the word in the
//! token.

mod act;
mod document;
mod line;
mod outage;
mod pause;
mod tokens;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;

pub(super) use self::{act::Place, line::Line, tokens::TokenAge};
pub use self::{
    act::{Act, Cut, Goaway, Reset, Seen},
    document::Settings,
    outage::{Outage, Skew, TokenOutage},
};
use self::{line::Lines, pause::Pause, tokens::Generations};
use crate::clock::{Clock, Timestamp};

/// What is asked for each request; see [`Faults::set_script`].
pub type Script = Arc<dyn Fn(&Seen) -> Act + Send + Sync>;

/// The faults of one fake; clones turn the same knobs.
#[derive(Clone, Default)]
pub struct Faults {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    knobs: Mutex<Knobs>,
    lines: Lines,
    pause: Pause,
    tokens: Generations,
    /// How far the provider's clock is ahead of the true one.
    ahead_millis: AtomicI64,
    connections: AtomicU64,
    requests: AtomicU64,
}

/// What is read together, once for a request.
#[derive(Clone, Default)]
struct Knobs {
    outage: Option<Outage>,
    token_outage: Option<TokenOutage>,
    goaway: Option<Goaway>,
    /// Tells one GOAWAY that was asked for from the next: streams are counted anew for each.
    goaway_number: u64,
    reset: Option<Reset>,
    cut: Option<Cut>,
    gone_at: Option<Timestamp>,
    retry_after: Option<Duration>,
    script: Option<Script>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Faults")
    }
}

impl Faults {
    /// Lets every answer wait this long, also those that wait already; zero, the initial value,
    /// answers at once.
    pub fn set_latency(&self, latency: Duration) {
        self.state.pause.set(latency);
    }

    /// Adds to every answer's latency a random time below `spread`; the times follow from `seed`
    /// and the order of the answers. Zero switches it off.
    pub fn set_latency_spread(&self, spread: Duration, seed: u64) {
        self.state.pause.set_spread(spread, seed);
    }

    /// Begins an outage, or ends it.
    pub fn set_outage(&self, outage: Option<Outage>) {
        self.knobs().outage = outage;
        self.state.lines.set_silent(outage == Some(Outage::Silence));
    }

    /// Closes all connections that are open, as a network does: without a goodbye.
    pub fn close_connections(&self) {
        self.state.lines.cut();
    }

    /// Says GOAWAY on the next connections that reach `goaway.at_stream` streams, counted from
    /// this moment on; takes the place of one asked for before.
    pub fn goaway(&self, goaway: Goaway) {
        let mut knobs = self.knobs();
        knobs.goaway_number += 1;
        knobs.goaway = (goaway.times > 0).then_some(goaway);
    }

    /// Resets the next requests; takes the place of a reset asked for before.
    pub fn reset(&self, reset: Reset) {
        self.knobs().reset = (reset.count > 0).then_some(reset);
    }

    /// Closes the connections of the next requests; takes the place of a cut asked for before.
    pub fn cut(&self, cut: Cut) {
        self.knobs().cut = (cut.count > 0).then_some(cut);
    }

    /// The `timestamp` of answers with status 410; by default the time of the request.
    pub fn set_gone_at(&self, moment: Option<Timestamp>) {
        self.knobs().gone_at = moment;
    }

    /// Sets the provider's own clock ahead of the true one, or behind it: what it judges tokens by
    /// and says in the `date` of its answers. Not added to an earlier shift.
    pub fn shift_clock(&self, by: Duration, skew: Skew) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let millis = if skew == Skew::Ahead { millis } else { -millis };
        self.state.ahead_millis.store(millis, Ordering::Relaxed);
    }

    /// Makes all provider tokens (Apple) or access tokens (Google) known so far unknown:
    /// `InvalidProviderToken`, or 401 `UNAUTHENTICATED`. A team's next token counts as its first.
    pub fn revoke_tokens(&self) {
        self.state.tokens.revoke();
    }

    /// Ends all provider or access tokens known so far before their time: `ExpiredProviderToken`,
    /// or 401 `UNAUTHENTICATED` with `ACCESS_TOKEN_EXPIRED`. A team's next token counts as its
    /// first.
    pub fn expire_tokens(&self) {
        self.state.tokens.expire();
    }

    /// Begins or ends an outage of Google's token endpoint alone; nothing at Apple's service.
    pub fn set_token_outage(&self, outage: Option<TokenOutage>) {
        self.knobs().token_outage = outage;
    }

    /// Adds a `Retry-After` of so many whole seconds to every answer 429 and 503; none at first.
    pub fn set_retry_after(&self, retry_after: Option<Duration>) {
        self.knobs().retry_after = retry_after;
    }

    /// Asks this function what to do with each notification; it must not wait.
    pub fn set_script(&self, script: Option<Script>) {
        self.knobs().script = script;
    }

    /// How all knobs stand, but for the script.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let (latency, latency_spread, latency_seed) = self.state.pause.now();
        let knobs = self.knobs();
        Settings {
            latency,
            latency_spread,
            latency_seed,
            outage: knobs.outage,
            token_outage: knobs.token_outage,
            gone_at_ms: knobs.gone_at.map(Timestamp::unix_millis),
            clock_ahead_ms: self.state.ahead_millis.load(Ordering::Relaxed),
            retry_after_seconds: knobs.retry_after.map(|time| time.as_secs()),
            goaway: knobs.goaway.clone(),
            reset_streams: knobs.reset,
            cut: knobs.cut,
        }
    }

    /// Turns all knobs as they stand in `settings`, all of them at once; the script stays.
    pub fn set(&self, settings: &Settings) {
        self.state.pause.set(settings.latency);
        self.state.pause.set_spread(settings.latency_spread, settings.latency_seed);
        self.state.ahead_millis.store(settings.clock_ahead_ms, Ordering::Relaxed);
        let mut knobs = self.knobs();
        *knobs = Knobs {
            outage: settings.outage,
            token_outage: settings.token_outage,
            goaway: settings.goaway.clone().filter(|goaway| goaway.times > 0),
            goaway_number: knobs.goaway_number + 1,
            reset: settings.reset_streams.filter(|reset| reset.count > 0),
            cut: settings.cut.filter(|cut| cut.count > 0),
            gone_at: settings.gone_at_ms.map(Timestamp::from_unix_millis),
            retry_after: settings.retry_after_seconds.map(Duration::from_secs),
            script: knobs.script.take(),
        };
        self.state.lines.set_silent(settings.outage == Some(Outage::Silence));
    }

    /// Turns all knobs back to where they were at the start.
    pub fn clear(&self) {
        self.set_script(None);
        self.set(&Settings::default());
    }

    /// The time by the provider's own clock.
    pub(super) fn now(&self, clock: &Clock) -> Timestamp {
        let ahead = self.state.ahead_millis.load(Ordering::Relaxed);
        Timestamp::from_unix_millis(clock.now().unix_millis().saturating_add(ahead))
    }

    /// Whether connections are closed as soon as they come.
    pub(super) fn refuses(&self) -> bool {
        self.knobs().outage == Some(Outage::Refuse)
    }

    /// The outage of this moment.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.knobs().outage
    }

    pub(super) fn token_outage(&self) -> Option<TokenOutage> {
        self.knobs().token_outage
    }

    /// The fate of a connection that has just come, with its number.
    pub(super) fn line(&self) -> Line {
        let number = self.state.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.state.lines.take(number)
    }

    /// What to do with a notification to this device.
    pub(super) fn act(&self, place: Place, token: &str, apns_id: Option<&str>) -> Act {
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
    pub(super) fn goaway_now(&self, counted: &mut CountedStreams) -> Option<Goaway> {
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
    pub(super) async fn pause(&self, longer: Duration) {
        self.state.pause.wait(longer).await;
    }

    /// When a device of that status was gone.
    pub(super) fn gone_at(&self) -> Option<Timestamp> {
        self.knobs().gone_at
    }

    /// What `Retry-After` says in an answer of this status.
    pub(super) fn retry_after(&self, status: u16) -> Option<HeaderValue> {
        let retry_after = self.knobs().retry_after.filter(|_| matches!(status, 429 | 503))?;
        Some(HeaderValue::from(retry_after.as_secs()))
    }

    /// The stamp of a token that is seen, or given out, for the first time.
    pub(super) fn stamp(&self) -> u64 {
        self.state.tokens.stamp()
    }

    /// What became of a token with this stamp.
    pub(super) fn age(&self, stamp: u64) -> TokenAge {
        self.state.tokens.age(stamp)
    }

    fn knobs(&self) -> MutexGuard<'_, Knobs> {
        // No code that can panic runs under this lock.
        self.state.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many streams a connection has seen since the last GOAWAY was asked for.
#[derive(Default)]
pub(super) struct CountedStreams {
    goaway_number: u64,
    streams: u32,
}

/// The `date` of an answer: to the second, as HTTP has it.
pub(super) fn date(now: Timestamp) -> HeaderValue {
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
    let moment = std::time::UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND));
    HeaderValue::from_str(&httpdate::fmt_http_date(moment)).expect("a date is plain ASCII")
}

/// The end of the year 9999, which HTTP's dates cannot pass.
const LAST_SECOND: u64 = 253_402_300_799;
