//! How a pool grows by need, replaces what goes, and shrinks again.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until};

use super::{
    connection::Connection,
    dial::{DialError, dial},
    exchange::SendError,
    goaway::Goaway,
    keeper,
    places::Places,
    pool::Shared,
};
use crate::metrics::{DialResult, GoawayReason};

impl Shared {
    /// Opens another connection when one is needed; one at a time.
    pub(super) fn grow(self: &Arc<Self>, places: &mut Places) {
        if places.needs_another(self.settings.max_connections) {
            places.is_dialling = true;
            let at = places.pace.next_dial(Instant::now());
            tokio::spawn(open(Arc::clone(self), at));
        }
    }

    /// No further request is started on the connection; one that was needed is replaced at once.
    pub(super) fn leave(self: &Arc<Self>, connection: &Connection) {
        self.leave_locked(&mut self.places(), connection);
    }

    fn leave_locked(self: &Arc<Self>, places: &mut Places, connection: &Connection) -> bool {
        let was_there = places.remove(connection);
        if was_there {
            self.metrics.drains(connection.limit());
            if !connection.is_proven() && !connection.is_idle() {
                // It was of no use to anybody, as the next one may be.
                places.pace.failed(Instant::now(), &self.random);
            }
            places.is_wanted |= is_missed(connection) || places.aging().is_some();
            self.settle(places);
        }
        was_there
    }

    /// The peer leaves: streams up to the last it named may end, the others fail and are sent again.
    pub(super) fn went_away(self: &Arc<Self>, connection: &Connection, goaway: &Goaway) {
        // Its streams and its driver learn of it, in any order.
        if !connection.is_first_goaway() {
            return;
        }
        let mut places = self.places();
        if goaway.label() == GoawayReason::EnhanceYourCalm {
            places.pace.calm(Instant::now(), &self.random);
        }
        self.leave_locked(&mut places, connection);
        drop(places);
        self.metrics.went_away(goaway.label());
        let Goaway { code, word: reason, said_bytes } = goaway;
        tracing::info!(event = "provider.goaway", origin = %self.origin, %code, reason, said_bytes, "the push service leaves a connection");
    }

    /// The peer has answered the first request: now the connection takes more, and may replace another.
    pub(super) fn proven(self: &Arc<Self>, connection: &Connection) {
        let mut places = self.places();
        places.pace.succeeded();
        if let Some(old) = places.aging().filter(|_| !connection.is_aging()) {
            self.leave_locked(&mut places, &old);
        }
        self.settle(&mut places);
    }

    /// The peer allows another number of streams.
    pub(super) fn set_limit(self: &Arc<Self>, connection: &Connection, limit: usize) {
        let mut places = self.places();
        if !connection.is_retired() {
            self.metrics.limit_changed(connection.limit(), limit);
        }
        connection.set_limit(limit);
        self.settle(&mut places);
    }

    /// The connection is old: it serves until another one does.
    pub(super) fn aged(self: &Arc<Self>, connection: &Connection) {
        let mut places = self.places();
        if connection.is_idle() {
            self.leave_locked(&mut places, connection);
        } else if !connection.is_retired() {
            self.replace(&mut places, connection);
        }
    }

    /// Those who wait do not wait for ever: for the first answer on the connection, nor for a peer that lets
    /// nobody in.
    pub(super) fn look_after(self: &Arc<Self>, connection: &Connection) {
        let is_shut = connection.is_shut_for(self.settings.ping_timeout);
        if connection.is_proven() && !is_shut {
            return;
        }
        let mut places = self.places();
        if connection.is_retired() || places.queue.is_empty() {
            return;
        }
        // "Servers SHOULD only set a zero value for short durations; if a server does not wish to accept
        // requests, closing the connection is more appropriate", RFC 9113 section 6.5.2.
        if is_shut && !connection.is_aging() {
            tracing::info!(event = "provider.shut", origin = %self.origin, "the push service allows no request on a connection");
            self.replace(&mut places, connection);
        } else {
            self.grow(&mut places);
        }
    }

    /// Has another connection opened to take the place of this one, which serves until that one does.
    fn replace(self: &Arc<Self>, places: &mut Places, connection: &Connection) {
        // Where nothing is sent no successor ever shows that it serves: one old connection waits for that.
        if let Some(older) = places.aging().filter(|older| older.in_flight() == 0) {
            self.leave_locked(places, &older);
        }
        places.put_last(connection);
        places.is_wanted = true;
        self.grow(places);
    }

    /// Closes a connection that is not needed.
    pub(super) fn close_if_idle(self: &Arc<Self>, connection: &Connection) {
        let mut places = self.places();
        // An old one whose successor nobody has needed yet is not needed either.
        let is_spare = connection.is_idle() || connection.is_aging() && connection.in_flight() == 0;
        if is_spare && places.is_beyond_first(connection) {
            self.leave_locked(&mut places, connection);
        }
    }

    pub(super) fn retire_all(self: &Arc<Self>, tls: Option<Arc<ClientConfig>>) {
        let mut places = self.places();
        places.generation += 1;
        if let Some(tls) = tls {
            places.tls = tls;
        }
        for connection in places.remove_all() {
            self.metrics.drains(connection.limit());
            places.is_wanted |= is_missed(&connection);
        }
        self.grow(&mut places);
    }

    fn failed(self: &Arc<Self>, error: DialError) {
        let mut places = self.places();
        places.is_dialling = false;
        // A replacement of what still serves is tried again; otherwise the next request will.
        places.is_wanted = places.aging().is_some();
        places.pace.failed(Instant::now(), &self.random);
        if places.is_empty() {
            // Everybody who waits shall hear of it.
            for waiting in places.queue.take_all() {
                let _ = waiting.send(Err(SendError::Dial(error.clone())));
            }
        }
        places.last_error = Some(error);
        self.grow(&mut places);
    }
}

/// Whether a connection is to be replaced before the next request: it was of use, and not long ago. Where
/// little is sent the next request opens one; and what is closed before it served is not opened for ever.
fn is_missed(connection: &Connection) -> bool {
    connection.is_proven() && !connection.is_idle() && !connection.is_aging()
}

/// Opens one connection at `at`, and has it minded to its end.
async fn open(pool: Arc<Shared>, at: Instant) {
    sleep_until(at).await;
    let (tls, generation) = {
        let places = pool.places();
        (Arc::clone(&places.tls), places.generation)
    };
    let dialled = dial(&pool.origin, &tls, &pool.way).await;
    pool.metrics.dialled(match &dialled {
        Ok(_) => DialResult::Ok,
        Err(DialError::Name(_)) => DialResult::Dns,
        Err(DialError::Tcp(_)) => DialResult::Tcp,
        Err(DialError::Proxy(_)) => DialResult::Proxy,
        Err(DialError::Tls(_) | DialError::Protocol) => DialResult::Tls,
        Err(DialError::Timeout) => DialResult::Timeout,
    });
    let (sender, driver) = match dialled {
        Ok(dialled) => dialled,
        Err(error) => {
            tracing::warn!(event = "provider.unreachable", origin = %pool.origin, %error, "no connection to the push service");
            pool.failed(error);
            return;
        }
    };
    let mut places = pool.places();
    places.is_dialling = false;
    places.last_error = None;
    if places.generation == generation {
        places.is_wanted = false;
        places.add(keeper::mind(&pool, sender, driver));
    }
    // Else it was made with credentials that are to be used no more, and is closed.
    pool.settle(&mut places);
}
