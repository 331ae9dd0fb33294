//! Few, long-lived connections to one origin, shared by all pushes to it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustls::ClientConfig;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    connection::{Connection, Ended, drive},
    dial::{DialError, dial},
    origin::Origin,
};
use crate::metrics::{DialResult, ProviderConnections};

/// After a failed attempt the next one waits this long, twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// While nothing is open and the next attempt is further away than this, requests fail at once.
const LONGEST_WAIT_FOR_ATTEMPT: Duration = Duration::from_secs(1);

/// A first request that got no answer in this time says something about its connection.
const FAIR_TIME: Duration = Duration::from_secs(1);

/// How large a pool may become.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Connections at most. One more is opened when all streams of the others are taken.
    pub max_connections: usize,
}

impl Default for PoolSettings {
    /// 16 connections: 1,600 requests under way where the peer allows 100 on each, as Google does.
    fn default() -> Self {
        Self { max_connections: 16 }
    }
}

/// The connections to one origin under one identity; clones share them.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    origin: Origin,
    tls: Arc<ClientConfig>,
    settings: PoolSettings,
    metrics: ProviderConnections,
    state: Mutex<State>,
    /// Somebody who waits for a stream should look again.
    changed: Notify,
}

#[derive(Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    dialling: bool,
    /// Attempts that failed since the pool was made; who waits compares it with what it was.
    failures: u64,
    /// Failures in a row.
    failures_in_a_row: u32,
    last_error: Option<DialError>,
    not_before: Option<Instant>,
}

impl Pool {
    /// A pool without connections; the first request opens one.
    #[must_use]
    pub fn new(
        origin: Origin,
        tls: Arc<ClientConfig>,
        settings: PoolSettings,
        metrics: ProviderConnections,
    ) -> Self {
        let state = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                origin,
                tls,
                settings,
                metrics,
                state,
                changed: Notify::new(),
            }),
        }
    }

    /// Where the pool leads.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// A place for one request; waits while all are taken.
    ///
    /// Fails as soon as an attempt to open a connection has failed and none is open, or at the deadline:
    /// then nothing was sent.
    pub(super) async fn stream(&self, deadline: Instant) -> Result<Stream, DialError> {
        timeout_at(deadline, self.wait_for_stream()).await.unwrap_or_else(|_| {
            Err(self.shared.state().last_error.clone().unwrap_or(DialError::Timeout))
        })
    }

    async fn wait_for_stream(&self) -> Result<Stream, DialError> {
        let known_failures = self.shared.state().failures;
        loop {
            let changed = self.shared.changed.notified();
            match self.shared.try_stream(known_failures) {
                Attempt::Taken(connection, more) => {
                    if more {
                        // There is room for another one who waits, or he is to make some.
                        self.shared.changed.notify_one();
                    }
                    let (pool, since) = (Arc::clone(&self.shared), Instant::now());
                    return Ok(Stream { connection, pool, since });
                }
                Attempt::Failed(error) => return Err(error),
                Attempt::Dial(at) => {
                    tokio::spawn(open(Arc::clone(&self.shared), at));
                }
                Attempt::Wait => {}
            }
            changed.await;
        }
    }
}

enum Attempt {
    Taken(Arc<Connection>, bool),
    Failed(DialError),
    Dial(Instant),
    Wait,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_stream(&self, known_failures: u64) -> Attempt {
        let mut state = self.state();
        state.connections.retain(|connection| connection.is_usable());
        let roomiest = state
            .connections
            .iter()
            .map(|connection| (connection.free_streams(), connection))
            .max_by_key(|(free, _)| *free);
        if let Some((free, connection)) = roomiest
            && free > 0
        {
            connection.take_stream();
            let connection = Arc::clone(connection);
            return Attempt::Taken(connection, free > 1 || self.may_dial(&state));
        }
        if state.connections.is_empty()
            && state.failures > known_failures
            && let Some(error) = &state.last_error
        {
            return Attempt::Failed(error.clone());
        }
        let now = Instant::now();
        if state.connections.is_empty()
            && let (Some(not_before), Some(error)) = (state.not_before, &state.last_error)
            && not_before > now + LONGEST_WAIT_FOR_ATTEMPT
        {
            return Attempt::Failed(error.clone());
        }
        if self.may_dial(&state) {
            state.dialling = true;
            return Attempt::Dial(state.not_before.map_or(now, |not_before| not_before.max(now)));
        }
        Attempt::Wait
    }

    /// A fresh connection takes one request only until that is answered (Apple's rule), so that it is full
    /// says nothing; it is waited for before the next one is opened.
    fn may_dial(&self, state: &State) -> bool {
        !state.dialling
            && state.connections.len() < self.settings.max_connections
            && state.connections.iter().all(|connection| connection.is_settled())
    }

    fn release(&self, connection: &Connection) {
        connection.release_stream();
        self.changed.notify_one();
    }
}

/// Opens one connection at `at` and drives it to its end.
async fn open(pool: Arc<Shared>, at: Instant) {
    sleep_until(at).await;
    let dialled = dial(&pool.origin, &pool.tls).await;
    pool.metrics.dialled(match &dialled {
        Ok(_) => DialResult::Ok,
        Err(DialError::Name(_)) => DialResult::Dns,
        Err(DialError::Tcp(_)) => DialResult::Tcp,
        Err(DialError::Tls(_) | DialError::Protocol) => DialResult::Tls,
        Err(DialError::Timeout) => DialResult::Timeout,
    });
    let (sender, driver) = match dialled {
        Ok(dialled) => dialled,
        Err(error) => {
            tracing::warn!(event = "provider.unreachable", origin = %pool.origin, %error, "no connection to the push service");
            let mut state = pool.state();
            let pause =
                FIRST_PAUSE.saturating_mul(1 << state.failures_in_a_row.min(8)).min(LONGEST_PAUSE);
            state.dialling = false;
            state.failures += 1;
            state.failures_in_a_row += 1;
            state.last_error = Some(error);
            state.not_before = Some(Instant::now() + pause);
            drop(state);
            // Everybody who waits shall hear of it.
            pool.changed.notify_waiters();
            return;
        }
    };
    let connection = Connection::new(sender);
    // Only the pool and requests hold on to it: when they let go, it closes.
    let known = Arc::downgrade(&connection);
    {
        let mut state = pool.state();
        state.dialling = false;
        state.failures_in_a_row = 0;
        state.last_error = None;
        state.not_before = None;
        state.connections.push(connection);
    }
    pool.changed.notify_one();
    pool.metrics.opened();
    let ended = drive(driver, &pool.changed).await;
    if let Some(connection) = known.upgrade() {
        connection.retire();
    }
    pool.metrics.closed();
    if ended == Ended::GoAway {
        pool.metrics.went_away();
    }
    tracing::debug!(event = "provider.connection_ended", origin = %pool.origin, ?ended, "a connection to the push service ended");
    pool.state().connections.retain(|connection| connection.is_usable());
    pool.changed.notify_one();
}

/// A place on a connection, given back when it is dropped.
pub(super) struct Stream {
    connection: Arc<Connection>,
    pool: Arc<Shared>,
    since: Instant,
}

impl Stream {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Its first request was given up, and not for want of time: nobody knows whether anybody is there.
        if !self.connection.is_proven() && self.since.elapsed() >= FAIR_TIME {
            self.connection.retire();
            self.pool.state().connections.retain(|connection| connection.is_usable());
        }
        self.pool.release(&self.connection);
    }
}
