//! Notifies that come again: a client that got no answer in time, or a queue that repeats what was done.
//!
//! Only a keyed digest of the request is remembered, and what became of each device: here, and in what nodes share.
//! This node's own memory is asked first, and alone while Redis is away.

mod claims;
mod entry;
mod outcomes;
mod remembered;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ring::hmac;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use claims::Claims;
use outcomes::{Ended, Outcomes};

use crate::{
    clock::Clock, domain::notification::Origin, metrics::Metrics, shared_state::SharedState,
};

use super::parcel::Parcel;

pub(super) use claims::{Claim, Verdict};
pub(super) use remembered::{Beginning, PushKey, Remembered};

/// What stands for a request: the first half of an HMAC-SHA-256 over its server, its kind and its body.
pub(super) type Digest = [u8; 16];

/// The notifies of the last minutes.
pub(super) struct Duplicates {
    key: hmac::Key,
    window: Duration,
    most: usize,
    clock: Clock,
    metrics: Arc<Metrics>,
    memory: Mutex<Memory>,
    nodes: Option<Nodes>,
}

/// What nodes share.
struct Nodes {
    claims: Claims,
    outcomes: Outcomes,
}

/// A notification that is remembered.
#[derive(Clone)]
pub(super) struct Found {
    /// What stands for its request.
    pub(super) digest: Digest,
    /// What became of its devices on this node.
    pub(super) devices: Arc<Remembered>,
}

#[derive(Default)]
struct Memory {
    by_digest: HashMap<Digest, Arc<Remembered>>,
    /// In the order they came.
    oldest_first: VecDeque<Entry>,
    weight: usize,
}

struct Entry {
    came: Duration,
    digest: Digest,
    weight: usize,
}

/// A notification for this many devices more takes the memory of one more notification.
const DEVICES_OF_ENTRY: usize = 8;

impl Duplicates {
    pub(super) fn new(
        key: hmac::Key,
        window: Duration,
        most: usize,
        clock: Clock,
        metrics: Arc<Metrics>,
        shared: Option<SharedState>,
    ) -> Self {
        let nodes = shared.map(|shared| Nodes {
            claims: Claims::new(shared.clone(), window),
            outcomes: Outcomes::new(shared, clock.clone(), Arc::clone(&metrics)),
        });
        Self { key, window, most, clock, metrics, memory: Mutex::default(), nodes }
    }

    /// What is remembered of this request, new if it is the first; nothing when nothing is remembered at all.
    pub(super) fn find(
        &self,
        server_id: i64,
        origin: Origin,
        body: &[u8],
        pushes: usize,
    ) -> Option<Found> {
        let kind = match origin {
            Origin::Notify => b'n',
            Origin::E2ee => b'e',
            // Who asks for a test twice wants to see two.
            Origin::Test => return None,
        };
        if self.window.is_zero() || self.most == 0 {
            return None;
        }
        let digest = self.digest(server_id, kind, body);
        let now = self.clock.running();
        let mut memory = self.memory();
        let weight = 1 + pushes / DEVICES_OF_ENTRY;
        memory.forget(now.checked_sub(self.window), self.most);
        let remembered = match memory.by_digest.get(&digest) {
            Some(known) => Arc::clone(known),
            None => {
                let remembered = Arc::new(Remembered::of(pushes));
                memory.forget(None, self.most.saturating_sub(weight));
                memory.by_digest.insert(digest, Arc::clone(&remembered));
                memory.oldest_first.push_back(Entry { came: now, digest, weight });
                memory.weight += weight;
                remembered
            }
        };
        let entries = i64::try_from(memory.by_digest.len()).unwrap_or(i64::MAX);
        drop(memory);
        self.metrics.duplicate_entries.set(entries);
        Some(Found { digest, devices: remembered })
    }

    /// Whether nodes share what they remember.
    pub(super) fn are_shared(&self) -> bool {
        self.nodes.is_some()
    }

    /// What other nodes know of pushes that this one would send, in their order; of those at the end that are missing
    /// nothing is known.
    pub(super) async fn claim(&self, found: &Found, claims: &[Claim]) -> Vec<Verdict> {
        match &self.nodes {
            Some(nodes) => nodes.claims.claim(&found.digest, claims).await,
            None => Vec::new(),
        }
    }

    /// Room for so many pushes that wait until it is known whether the node lives that is trying them.
    pub(super) fn doubt(&self, pushes: usize) -> Option<OwnedSemaphorePermit> {
        self.nodes.as_ref()?.claims.doubt(pushes)
    }

    /// Notes the final outcome of a push that came so long ago.
    pub(super) fn ended(&self, parcel: &Parcel, found: &Found, is_accepted: bool) {
        let Parcel { id, number, may_have_arrived, came, .. } = *parcel;
        let key = parcel.key();
        found.devices.end(key, is_accepted, may_have_arrived);
        if let Some(nodes) = &self.nodes {
            nodes.outcomes.push(Ended {
                digest: found.digest,
                key,
                id,
                number,
                is_accepted,
                may_have_arrived,
                until: came.saturating_add(self.window),
            });
        }
    }

    /// Tells the other nodes of final outcomes, for ever.
    pub(super) async fn keep_telling(&self) {
        match &self.nodes {
            Some(nodes) => nodes.outcomes.keep_writing().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until they are told of all of them, unless Redis is away, and not for long.
    pub(super) async fn all_told(&self) {
        if let Some(nodes) = &self.nodes {
            nodes.outcomes.flush().await;
        }
    }

    fn digest(&self, server_id: i64, kind: u8, body: &[u8]) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&server_id.to_be_bytes());
        context.update(&[kind]);
        context.update(body);
        let mut digest = Digest::default();
        digest.copy_from_slice(&context.sign().as_ref()[..size_of::<Digest>()]);
        digest
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a notification in what nodes share.
fn shared_key(shared: &SharedState, digest: &Digest) -> String {
    shared.key("dup", Uuid::from_bytes(*digest).simple())
}

impl Memory {
    /// Forgets what came no later than `until`, and of the rest as many of the oldest as it takes to weigh no more
    /// than `most`.
    fn forget(&mut self, until: Option<Duration>, most: usize) {
        while let Some(entry) = self.oldest_first.front() {
            let is_old = until.is_some_and(|until| entry.came <= until);
            if !is_old && self.weight <= most {
                break;
            }
            self.weight -= entry.weight;
            self.by_digest.remove(&entry.digest);
            self.oldest_first.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::device::Row;

    const WINDOW: Duration = Duration::from_secs(600);

    fn duplicates(clock: &Clock, most: usize) -> Duplicates {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        Duplicates::new(key, WINDOW, most, clock.clone(), Arc::default(), None)
    }

    fn is_new(duplicates: &Duplicates, server_id: i64, body: &[u8]) -> bool {
        let found = duplicates.find(server_id, Origin::Notify, body, 1);
        found.is_some_and(|found| begins(&found.devices, (Row::Device(1), 0)))
    }

    fn begins(remembered: &Remembered, key: PushKey) -> bool {
        remembered.begin(key, Uuid::nil()).is_some()
    }

    #[test]
    fn the_same_body_of_the_same_server_is_known_within_the_window() {
        let clock = Clock::default();
        let duplicates = duplicates(&clock, 100);
        assert!(is_new(&duplicates, 1, b"{}"));
        assert!(!is_new(&duplicates, 1, b"{}"));
        assert!(is_new(&duplicates, 2, b"{}"), "another server");
        assert!(is_new(&duplicates, 1, b"{ }"), "another body");
        assert!(duplicates.find(1, Origin::Test, b"{}", 1).is_none());
        clock.advance(WINDOW);
        assert!(is_new(&duplicates, 1, b"{}"), "too long ago");
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let duplicates = duplicates(&Clock::default(), 2);
        for body in [b"1", b"2", b"3"] {
            assert!(is_new(&duplicates, 1, body));
        }
        assert!(!is_new(&duplicates, 1, b"3"));
        assert!(!is_new(&duplicates, 1, b"2"));
        assert!(is_new(&duplicates, 1, b"1"));
    }
}
