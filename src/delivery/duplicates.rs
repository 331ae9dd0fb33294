//! Notifies that come again: a client that got no answer in time, or a queue that repeats what was done.
//!
//! Only a keyed digest of the request is remembered, and what became of each device.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ring::hmac;
use uuid::Uuid;

use crate::{
    clock::Clock,
    domain::{device::Row, notification::Origin},
    metrics::Metrics,
};

/// What stands for a request: the first half of an HMAC-SHA-256 over its server, its kind and its body.
type Digest = [u8; 16];

/// The notifies of the last minutes.
pub(super) struct Duplicates {
    key: hmac::Key,
    window: Duration,
    most: usize,
    clock: Clock,
    metrics: Arc<Metrics>,
    memory: Mutex<Memory>,
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

/// What became of the devices of one notification, over all its repetitions.
pub(super) struct Remembered {
    pushes: Mutex<Vec<Known>>,
}

struct Known {
    key: PushKey,
    /// What the push service was told it is called; by nothing else does it know the push again.
    id: Uuid,
    state: State,
}

/// A push of a notification: its device, and the how manieth of that device it is, since a request may name one
/// several times.
pub(super) type PushKey = (Row, u32);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is being tried.
    Trying,
    /// The push service took it.
    Accepted,
    /// It did not.
    Failed,
}

impl Duplicates {
    pub(super) fn new(
        key: hmac::Key,
        window: Duration,
        most: usize,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { key, window, most, clock, metrics, memory: Mutex::default() }
    }

    /// What is remembered of this request, new if it is the first; nothing when nothing is remembered at all.
    pub(super) fn find(
        &self,
        server_id: i64,
        origin: Origin,
        body: &[u8],
        pushes: usize,
    ) -> Option<Arc<Remembered>> {
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
        Some(remembered)
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

impl Remembered {
    /// With room for so many pushes and no more: there are many of these.
    fn of(pushes: usize) -> Self {
        Self { pushes: Mutex::new(Vec::with_capacity(pushes)) }
    }

    /// What the push is called, if it is to be sent; it is being tried from now on then. One that failed keeps the
    /// id it had; any other gets `id`.
    pub(super) fn begin(&self, key: PushKey, id: Uuid) -> Option<Uuid> {
        let mut pushes = self.pushes();
        match pushes.iter_mut().find(|known| known.key == key) {
            Some(known) if known.state == State::Failed => {
                known.state = State::Trying;
                Some(known.id)
            }
            Some(_) => None,
            None => {
                pushes.push(Known { key, id, state: State::Trying });
                Some(id)
            }
        }
    }

    /// Notes the final outcome.
    pub(super) fn end(&self, key: PushKey, is_accepted: bool) {
        let state = if is_accepted { State::Accepted } else { State::Failed };
        if let Some(known) = self.pushes().iter_mut().find(|known| known.key == key) {
            known.state = state;
        }
    }

    fn pushes(&self) -> MutexGuard<'_, Vec<Known>> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn duplicates(clock: &Clock, most: usize) -> Duplicates {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        Duplicates::new(key, WINDOW, most, clock.clone(), Arc::default())
    }

    fn is_new(duplicates: &Duplicates, server_id: i64, body: &[u8]) -> bool {
        let remembered = duplicates.find(server_id, Origin::Notify, body, 1);
        remembered.is_some_and(|remembered| begins(&remembered, (Row::Device(1), 0)))
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

    #[test]
    fn a_device_that_failed_is_tried_again_and_no_other() {
        let remembered = Remembered::of(2);
        let (failed, accepted) = ((Row::Device(1), 0), (Row::Device(1), 1));
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(remembered.begin(failed, id), Some(id));
        assert!(begins(&remembered, accepted));
        assert!(!begins(&remembered, failed), "it is being tried");
        remembered.end(failed, false);
        remembered.end(accepted, true);
        assert_eq!(remembered.begin(failed, other), Some(id), "it is the same push");
        assert!(!begins(&remembered, accepted));
    }
}
