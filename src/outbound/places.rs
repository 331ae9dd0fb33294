//! The connections of a pool, who has a place on them, and who waits for one.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;
use tokio::{sync::oneshot, time::Instant};

use super::{
    connection::Connection,
    dial::DialError,
    exchange::SendError,
    pace::{Pace, part},
    queue::FairQueue,
};

/// While nothing is open and the next attempt is further away than this, requests fail at once.
const LONGEST_WAIT_FOR_ATTEMPT: Duration = Duration::from_secs(1);

/// What one who waits is told: a connection with a place for it, which is taken already.
pub(super) type Granted = Result<Arc<Connection>, SendError>;

/// What a pool's lock protects.
pub(super) struct Places {
    /// Those that take requests; the first with a free place gets the next one, so that those at the end
    /// fall idle first.
    connections: Vec<Arc<Connection>>,
    pub(super) queue: FairQueue<oneshot::Sender<Granted>>,
    pub(super) pace: Pace,
    /// How the next connection says who we are, and whom it trusts.
    pub(super) tls: Arc<ClientConfig>,
    /// Counts up when no connection of before may be used any more.
    pub(super) generation: u64,
    pub(super) is_dialling: bool,
    /// A connection that is going is to be replaced, even though nobody waits.
    pub(super) is_wanted: bool,
    pub(super) last_error: Option<DialError>,
    /// When the last one went.
    emptied: Option<Instant>,
}

impl Places {
    pub(super) fn new(tls: Arc<ClientConfig>) -> Self {
        Self {
            connections: Vec::new(),
            queue: FairQueue::default(),
            pace: Pace::default(),
            tls,
            generation: 0,
            is_dialling: false,
            is_wanted: false,
            last_error: None,
            emptied: None,
        }
    }

    /// A place at once: there is one, and nobody waits for it.
    pub(super) fn take(&mut self, owner: i64) -> Option<Arc<Connection>> {
        if !self.queue.is_empty() {
            return None;
        }
        let connection = self.with_room()?;
        connection.take();
        self.queue.took(owner);
        Some(connection)
    }

    /// Why it is of no use to wait now.
    pub(super) fn refusal(&self, now: Instant) -> Option<SendError> {
        let is_hopeless = self.connections.is_empty()
            && self.pace.next_dial(now) > now + LONGEST_WAIT_FOR_ATTEMPT;
        is_hopeless.then(|| match &self.last_error {
            Some(error) => SendError::Dial(error.clone()),
            // It went away, and wants to be left alone for a while.
            None => SendError::Unprocessed,
        })
    }

    /// Hands free places to those who wait; gives how many.
    pub(super) fn grant(&mut self) -> usize {
        let mut granted = 0;
        if self.queue.is_empty() {
            return granted;
        }
        let places = self.places();
        while !self.queue.is_empty()
            && let Some(connection) = self.with_room()
            && let Some((owner, waiting)) = self.queue.next(places)
        {
            connection.take();
            granted += 1;
            if let Err(Ok(connection)) = waiting.send(Ok(connection)) {
                // It gave up at this moment.
                connection.give_back();
                self.queue.gave_back(owner);
                granted -= 1;
            }
        }
        granted
    }

    /// Whether another connection is needed, when there may be so many: a measured need, not a guessed one.
    pub(super) fn needs_another(&mut self, max_connections: usize) -> bool {
        // While the peer is to be left in calm, that all places are taken is our own doing.
        let max = if self.pace.thousandths() < 1000 { 1 } else { max_connections };
        let staying = self.connections.iter().filter(|connection| !connection.is_aging()).count();
        let is_needed = self.is_wanted
            || !self.queue.is_empty()
                && self.connections.iter().all(|connection| connection.is_settled());
        is_needed && !self.is_dialling && staying < max
    }

    /// Puts a new connection before those that it shall replace.
    pub(super) fn add(&mut self, connection: Arc<Connection>) {
        let place = self.connections.iter().position(|connection| connection.is_aging());
        self.connections.insert(place.unwrap_or(self.connections.len()), connection);
    }

    /// Takes a connection out, so that no further request is started on it; false when it was out.
    pub(super) fn remove(&mut self, connection: &Connection) -> bool {
        let place =
            self.connections.iter().position(|known| std::ptr::eq(&raw const **known, connection));
        if let Some(place) = place {
            connection.retire();
            self.connections.remove(place);
            self.note_emptied();
        }
        place.is_some()
    }

    /// Takes all out.
    pub(super) fn remove_all(&mut self) -> Vec<Arc<Connection>> {
        self.connections.iter().for_each(|connection| connection.retire());
        let removed = std::mem::take(&mut self.connections);
        if !removed.is_empty() {
            self.note_emptied();
        }
        removed
    }

    fn note_emptied(&mut self) {
        if self.connections.is_empty() {
            self.emptied = Some(Instant::now());
        }
    }

    /// Uses a connection only while there is no other one; a new one goes before it.
    pub(super) fn put_last(&mut self, connection: &Connection) {
        connection.age();
        let is_it = |known: &Arc<Connection>| std::ptr::eq(&raw const **known, connection);
        if let Some(place) = self.connections.iter().position(is_it) {
            let connection = self.connections.remove(place);
            self.connections.push(connection);
        }
    }

    /// The connection that was to be replaced first.
    pub(super) fn aging(&self) -> Option<Arc<Connection>> {
        self.connections.iter().find(|connection| connection.is_aging()).cloned()
    }

    /// Whether another connection takes requests, and this one is not the first.
    pub(super) fn is_beyond_first(&self, connection: &Connection) -> bool {
        self.connections.first().is_some_and(|first| !std::ptr::eq(&raw const **first, connection))
    }

    /// Whether somebody who has waited since `began` had a connection to wait for, and only no place on it. That one has
    /// just gone and the next is not open yet says nothing of the peer.
    pub(super) fn was_there_one(&self, began: Instant) -> bool {
        !self.connections.is_empty() || self.emptied.is_some_and(|emptied| emptied >= began)
    }

    /// Whether no connection takes requests.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn with_room(&mut self) -> Option<Arc<Connection>> {
        let thousandths = self.pace.thousandths();
        let has_room = |connection: &&Arc<Connection>| {
            connection.in_flight() < part(connection.places(), thousandths)
        };
        self.connections.iter().find(has_room).cloned()
    }

    /// All places there are now.
    fn places(&mut self) -> usize {
        let thousandths = self.pace.thousandths();
        let each = self.connections.iter().map(|connection| part(connection.places(), thousandths));
        each.fold(0, usize::saturating_add)
    }
}
