//! What the fakes of both push services have in common: what they remember and count, the knobs that
//! are turned while they run, and how they end.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::watch;

use super::{
    acceptor::Acceptor,
    control::Controlled,
    counters::{Counters, LiveCounters},
    faults::Faults,
    request_log::{Page, RequestLog},
};

/// A running fake of a push service; dropping it closes its socket and its connections.
pub struct Fake<S: Service> {
    pub(super) acceptor: Acceptor,
    pub(super) service: Arc<S>,
}

/// What makes one fake different from the other.
pub trait Service: Send + Sync + 'static {
    /// A notification as it is remembered.
    type Request: Remembered;

    /// What it has in common with the other.
    fn common(&self) -> &Common<Self::Request>;

    /// Forgets which tokens were in use, if it remembers any.
    fn forget_tokens(&self) {}
}

/// A notification that arrived.
pub trait Remembered: Clone + Send {
    /// Whether it was accepted.
    fn is_accepted(&self) -> bool;

    /// The device it was for.
    fn token(&self) -> &str;

    /// It as the control port shows it.
    fn describe(&self) -> Value;
}

/// What a fake remembers and counts, and its knobs.
pub struct Common<R> {
    pub(super) streams: watch::Sender<u32>,
    /// How many streams there were at the start.
    first_streams: u32,
    pub(super) faults: Faults,
    pub(super) log: RequestLog<R>,
    pub(super) log_bodies: bool,
    pub(super) counters: LiveCounters,
}

impl<R: Clone> Common<R> {
    /// For connections with so many streams at first; remembers `log_capacity` requests.
    pub(super) fn new(streams: u32, log_capacity: usize, log_bodies: bool, faults: Faults) -> Self {
        Self {
            streams: watch::Sender::new(streams),
            first_streams: streams,
            faults,
            log: RequestLog::new(log_capacity),
            log_bodies,
            counters: LiveCounters::default(),
        }
    }
}

impl<S: Service> Fake<S> {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// The last notifications, the oldest first; what the token endpoint was asked is not among them.
    #[must_use]
    pub fn requests(&self) -> Vec<S::Request> {
        self.common().log.all()
    }

    /// Shows the last notifications to `look`, the oldest first, without a copy. It must not wait:
    /// the log stands still meanwhile.
    pub fn for_each_request(&self, look: impl FnMut(&S::Request)) {
        self.common().log.for_each(look);
    }

    /// How many of the last notifications were accepted, by token as it was sent; rehearsals too.
    #[must_use]
    pub fn accepted_by_token(&self) -> HashMap<String, u64> {
        let mut accepted = HashMap::new();
        self.for_each_request(|request| {
            if request.is_accepted() {
                *accepted.entry(request.token().to_owned()).or_default() += 1;
            }
        });
        accepted
    }

    /// What it has counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.common().counters.now()
    }

    /// Forgets notifications, counters and which of Apple's tokens were in use; connections,
    /// settings and access tokens stay.
    pub fn reset(&self) {
        Controlled::reset(&*self.service);
    }

    /// What it does wrong on purpose.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.common().faults.clone()
    }

    /// The same as [`Faults::set_latency`].
    pub fn set_latency(&self, latency: Duration) {
        self.common().faults.set_latency(latency);
    }

    /// Changes the streams a connection may have open (at Apple's once it is authenticated), on all
    /// connections at once.
    pub fn set_streams(&self, streams: u32) {
        self.common().streams.send_replace(streams);
    }

    /// What the control port works on.
    pub(super) fn controlled(&self) -> Arc<dyn Controlled> {
        Arc::<S>::clone(&self.service)
    }

    /// Stops listening, says goodbye on every connection and waits a few seconds for open streams.
    pub async fn shutdown(self) {
        self.acceptor.shutdown().await;
    }

    fn common(&self) -> &Common<S::Request> {
        self.service.common()
    }
}

impl<S: Service> Controlled for S {
    fn faults(&self) -> &Faults {
        &self.common().faults
    }

    fn counters(&self) -> Counters {
        self.common().counters.now()
    }

    fn reset(&self) {
        self.common().log.clear();
        self.common().counters.reset();
        self.forget_tokens();
    }

    fn streams(&self) -> u32 {
        *self.common().streams.borrow()
    }

    fn set_streams(&self, streams: Option<u32>) {
        self.common().streams.send_replace(streams.unwrap_or(self.common().first_streams));
    }

    fn page(&self, after: u64, limit: usize) -> Page<Value> {
        let Page { entries, oldest } = self.common().log.page(after, limit);
        let entries = entries.into_iter().map(|(number, request)| (number, request.describe()));
        Page { entries: entries.collect(), oldest }
    }
}
