//! One connection of a pool: how full it is, and what is known of it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::{sync::mpsc, time::Instant};

/// A first request that got no answer in this time says something about its connection.
pub(super) const FAIR_TIME: Duration = Duration::from_secs(1);

/// So many requests without an answer in between, and a connection is replaced.
const MOST_MISSES: usize = 5;

/// A connection that was not needed in so many quarters of the idle time is idle.
const IDLE_QUARTERS: u8 = 4;

/// One open connection. The pool and requests hold on to it: when they let go, it closes.
///
/// Its numbers change under the pool's lock only, and are read without where nothing depends on the
/// last change.
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    /// Asked whether the peer leaves.
    probe: Mutex<SendRequest<Bytes>>,
    in_flight: AtomicUsize,
    /// The peer's `SETTINGS_MAX_CONCURRENT_STREAMS`.
    limit: AtomicUsize,
    /// Since when the peer allows no request at all.
    shut_since: Mutex<Option<Instant>>,
    /// It takes one request only until that was answered.
    is_first_alone: bool,
    /// The peer has answered a request on it.
    is_proven: AtomicBool,
    /// No further request is started on it.
    is_retired: AtomicBool,
    /// Another one is being opened to take its place.
    is_aging: AtomicBool,
    is_used: AtomicBool,
    quarters_unused: AtomicU8,
    /// The peer said that it leaves.
    is_going: AtomicBool,
    /// Requests that were not answered in time since the last one that was.
    misses: AtomicUsize,
    /// When its first request was started.
    first_request: Mutex<Option<Instant>>,
    /// Tells whoever minds it that it may be silent; and, when it is gone, that it is not needed any more.
    doubts: mpsc::Sender<()>,
}

impl Connection {
    pub(super) fn new(
        sender: SendRequest<Bytes>,
        is_first_alone: bool,
        doubts: mpsc::Sender<()>,
    ) -> Self {
        let limit = sender.current_max_send_streams();
        Self {
            limit: limit.into(),
            shut_since: Mutex::new((limit == 0).then(Instant::now)),
            probe: Mutex::new(sender.clone()),
            sender,
            in_flight: AtomicUsize::new(0),
            is_first_alone,
            is_proven: AtomicBool::new(false),
            is_retired: AtomicBool::new(false),
            is_aging: AtomicBool::new(false),
            is_used: AtomicBool::new(true),
            quarters_unused: AtomicU8::new(0),
            is_going: AtomicBool::new(false),
            misses: AtomicUsize::new(0),
            first_request: Mutex::default(),
            doubts,
        }
    }

    /// A handle for one more request.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    /// Why no stream can be started on it; checked without sending anything.
    pub(super) fn error(&self, context: &mut Context<'_>) -> Option<h2::Error> {
        match self.probe.lock().unwrap_or_else(PoisonError::into_inner).poll_ready(context) {
            Poll::Ready(Err(error)) => Some(error),
            Poll::Ready(Ok(())) | Poll::Pending => None,
        }
    }

    /// Notes that the peer leaves; true the first time.
    pub(super) fn is_first_goaway(&self) -> bool {
        !self.is_going.swap(true, Relaxed)
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        if self.misses.load(Relaxed) > 0 {
            self.misses.store(0, Relaxed);
        }
    }

    /// A request was not answered in time; whether that is the rule here: who answers every PING and no request
    /// is as good as gone.
    pub(super) fn missed(&self) -> bool {
        self.misses.fetch_add(1, Relaxed) + 1 >= MOST_MISSES
    }

    /// Somebody waited for an answer in vain.
    pub(super) fn doubt(&self) {
        // When the channel is full, somebody else has said so.
        let _ = self.doubts.try_send(());
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
        let mut since = self.shut_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if limit == 0 { since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// Whether the peer has allowed no request at all for so long.
    pub(super) fn is_shut_for(&self, time: Duration) -> bool {
        let since = *self.shut_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= time)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// How many requests may be under way on it.
    pub(super) fn places(&self) -> usize {
        if self.is_first_alone && !self.is_proven() { self.limit().min(1) } else { self.limit() }
    }

    pub(super) fn take(&self) {
        if !self.is_proven() {
            let mut first = self.first_request.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(Instant::now);
        }
        self.is_used.store(true, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub(super) fn give_back(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Whether a place that was given out cannot be used any more: the peer has lowered its limit, or the
    /// connection was given up meanwhile.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_retired() || self.in_flight() > self.places()
    }

    pub(super) fn is_proven(&self) -> bool {
        self.is_proven.load(Relaxed)
    }

    /// The peer has answered a request; true the first time.
    pub(super) fn prove(&self) -> bool {
        !self.is_proven() && !self.is_proven.swap(true, Relaxed)
    }

    /// Its first request has waited for an answer long enough to tell something.
    pub(super) fn is_slow_to_prove(&self) -> bool {
        let first = *self.first_request.lock().unwrap_or_else(PoisonError::into_inner);
        !self.is_proven() && first.is_some_and(|first| first.elapsed() >= FAIR_TIME)
    }

    /// Whether that it is full tells that another one is needed: a fresh one takes one request only, so
    /// that its fullness says nothing until it has answered; and one that is shut may soon be open again.
    pub(super) fn is_settled(&self) -> bool {
        let is_open = self.limit() > 0;
        is_open && self.is_proven() || self.is_shut_for(FAIR_TIME) || self.is_slow_to_prove()
    }

    pub(super) fn is_retired(&self) -> bool {
        self.is_retired.load(Relaxed)
    }

    pub(super) fn retire(&self) {
        self.is_retired.store(true, Relaxed);
    }

    pub(super) fn is_aging(&self) -> bool {
        self.is_aging.load(Relaxed)
    }

    pub(super) fn age(&self) {
        self.is_aging.store(true, Relaxed);
    }

    /// To be called once in each quarter of the idle time.
    pub(super) fn count_quarter(&self) {
        let unused = self.quarters_unused.load(Relaxed).saturating_add(1);
        let unused = if self.is_used.swap(false, Relaxed) { 0 } else { unused };
        self.quarters_unused.store(unused, Relaxed);
    }

    /// Whether it was not needed for the idle time.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight() == 0
            && !self.is_used.load(Relaxed)
            && self.quarters_unused.load(Relaxed) >= IDLE_QUARTERS
    }
}
