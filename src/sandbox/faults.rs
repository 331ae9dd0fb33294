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
mod reading;
mod tokens;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

pub(super) use self::{
    act::Place,
    line::Line,
    reading::{CountedStreams, date},
    tokens::TokenAge,
};
pub use self::{
    act::{Act, Cut, Goaway, Reset, Seen},
    document::Settings,
    outage::{Outage, Skew, TokenOutage},
};
use self::{line::Lines, pause::Pause, tokens::Generations};
use crate::clock::Timestamp;

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

    fn knobs(&self) -> MutexGuard<'_, Knobs> {
        // No code that can panic runs under this lock.
        self.state.knobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
