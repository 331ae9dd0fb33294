//! Few, long-lived connections to one origin, shared by all pushes to it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustls::ClientConfig;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    connection::Connection,
    dial::DialError,
    exchange::SendError,
    goaway::Goaway,
    origin::Origin,
    places::{Granted, Places},
    way::Way,
};
use crate::{
    config::{Connections, OutboundConfig},
    metrics::ProviderConnections,
    random::Random,
};

/// How large a pool may become, and how long its connections live.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Connections at most. One more is opened when somebody waits and all places of the others are
    /// taken; while one is being replaced there may be one more.
    pub max_connections: usize,
    /// A fresh connection takes one request only until that is answered, as Apple demands.
    pub is_first_alone: bool,
    /// How often a connection is asked whether anybody is there.
    pub ping_interval: Duration,
    /// How long the answer to that may take, and how long the peer may allow no request at all while some wait.
    pub ping_timeout: Duration,
    /// A connection is replaced at about this age.
    pub max_age: Duration,
    /// A connection beyond the first that was not needed for so long is closed.
    pub idle_timeout: Duration,
}

impl PoolSettings {
    /// Settings of the configuration.
    #[must_use]
    pub fn new(connections: Connections, config: &OutboundConfig, is_first_alone: bool) -> Self {
        Self {
            max_connections: connections.0,
            is_first_alone,
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            max_age: config.max_connection_age,
            idle_timeout: config.idle_timeout,
        }
    }
}

/// The connections to one origin under one identity; clones share them.
#[derive(Clone)]
pub struct Pool {
    pub(super) shared: Arc<Shared>,
}

/// What the handles of a pool and the tasks of its connections share.
pub(super) struct Shared {
    pub(super) origin: Origin,
    pub(super) way: Way,
    pub(super) settings: PoolSettings,
    pub(super) metrics: ProviderConnections,
    pub(super) random: Random,
    places: Mutex<Places>,
}

impl Pool {
    /// A pool without connections; the first request opens one.
    #[must_use]
    pub fn new(
        origin: Origin,
        tls: Arc<ClientConfig>,
        way: Way,
        settings: PoolSettings,
        metrics: ProviderConnections,
    ) -> Self {
        let (random, places) = (Random::default(), Mutex::new(Places::new(tls)));
        Self { shared: Arc::new(Shared { origin, way, settings, metrics, random, places }) }
    }

    /// Where the pool leads.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// Lets no further request start on a connection there is now; those under way may end. The next
    /// request opens a new one.
    ///
    /// To be called when credentials were changed or revoked: Apple ties a connection to the first it saw.
    pub fn retire_all(&self) {
        self.shared.retire_all(None);
    }

    /// Lets new connections say who we are, and trust whom, by `tls`, and retires the others.
    pub fn replace_tls(&self, tls: Arc<ClientConfig>) {
        self.shared.retire_all(Some(tls));
    }

    /// A place for one request; waits while all are taken, those of each owner by their `ticket`.
    ///
    /// Fails as soon as an attempt to open a connection has failed and none is open, or at the deadline:
    /// then nothing was sent.
    pub(super) async fn place(
        &self,
        owner: i64,
        ticket: &mut Option<u64>,
        deadline: Instant,
    ) -> Result<Place<'_>, SendError> {
        let pool = &self.shared;
        let began = Instant::now();
        let mut waiting = {
            let mut places = pool.places();
            if let Some(connection) = places.take(owner) {
                drop(places);
                pool.metrics.started(1);
                pool.metrics.waited(Duration::ZERO);
                return Ok(Place { pool, connection, owner });
            }
            if let Some(refusal) = places.refusal(Instant::now()) {
                return Err(refusal);
            }
            let ticket = *ticket.get_or_insert_with(|| places.queue.ticket());
            let (sender, granted) = oneshot::channel();
            places.queue.wait(owner, ticket, sender);
            pool.grow(&mut places);
            Waiting { pool, owner, ticket, granted }
        };
        let granted = timeout_at(deadline, &mut waiting.granted).await;
        pool.metrics.waited(began.elapsed());
        match granted {
            Ok(Ok(granted)) => Ok(Place { pool, connection: granted?, owner }),
            Ok(Err(_)) | Err(_) => {
                let places = pool.places();
                if places.was_there_one(began) {
                    return Err(SendError::Crowded);
                }
                let error = places.last_error.clone();
                Err(SendError::Dial(error.unwrap_or(DialError::Timeout)))
            }
        }
    }
}

impl Shared {
    pub(super) fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands free places to those who wait, and opens another connection when they are not enough.
    pub(super) fn settle(self: &Arc<Self>, places: &mut Places) {
        if !places.queue.is_empty() {
            self.metrics.started(places.grant());
        }
        self.grow(places);
    }

    fn release(self: &Arc<Self>, owner: i64, connection: &Connection) {
        self.metrics.ended();
        let mut places = self.places();
        connection.give_back();
        places.queue.gave_back(owner);
        if !places.queue.is_empty() {
            self.settle(&mut places);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for connection in self.places().remove_all() {
            self.metrics.drains(connection.limit());
        }
    }
}

/// Somebody who waits, and leaves no trace when he gives up.
struct Waiting<'a> {
    pool: &'a Arc<Shared>,
    owner: i64,
    ticket: u64,
    granted: oneshot::Receiver<Granted>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.granted.is_terminated() {
            return;
        }
        let left = self.pool.places().queue.leave(self.owner, self.ticket);
        if left.is_none()
            && let Ok(Ok(connection)) = self.granted.try_recv()
        {
            // It was handed over at the moment of giving up: somebody else may have it.
            self.pool.release(self.owner, &connection);
        }
    }
}

/// A place on a connection, given back when it is dropped.
pub(super) struct Place<'a> {
    pool: &'a Arc<Shared>,
    connection: Arc<Connection>,
    owner: i64,
}

impl Place<'_> {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn connection_handle(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The peer has answered a request on the connection, however; refusing it unread is no answer.
    pub(super) fn prove(&self) {
        if self.connection.prove() {
            self.pool.proven(&self.connection);
        }
    }

    /// The peer said that it leaves the connection.
    pub(super) fn went_away(&self, goaway: &Goaway) {
        self.pool.went_away(&self.connection, goaway);
    }

    /// The connection takes no further request.
    pub(super) fn retire_connection(&self) {
        self.pool.leave(&self.connection);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Its first request was given up, and not for want of time: nobody knows whether anybody is there.
        if self.connection.is_slow_to_prove() {
            self.pool.leave(&self.connection);
        }
        self.pool.release(self.owner, &self.connection);
    }
}
