//! The last requests a sandbox server saw.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

/// Both services refuse longer bodies, so nothing of interest is lost.
const BODY_LIMIT: usize = 8 << 10;

/// What a log keeps of a body.
pub(super) fn remembered(body: Bytes) -> Bytes {
    if body.len() > BODY_LIMIT { Bytes::copy_from_slice(&body[..BODY_LIMIT]) } else { body }
}

/// A bounded list of requests; the oldest leave first.
pub(super) struct RequestLog<T> {
    capacity: usize,
    entries: Mutex<VecDeque<T>>,
}

impl<T: Clone> RequestLog<T> {
    /// An empty log of at most so many entries; 0 switches it off.
    pub(super) const fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::new(VecDeque::new()) }
    }

    /// Notes a request; makes no entry when the log is off.
    pub(super) fn note(&self, entry: impl FnOnce() -> T) {
        if self.capacity == 0 {
            return;
        }
        let entry = entry();
        let mut entries = self.entries();
        if entries.len() == self.capacity {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// All entries, the oldest first.
    pub(super) fn all(&self) -> Vec<T> {
        self.entries().iter().cloned().collect()
    }

    /// Forgets all entries and their memory.
    pub(super) fn clear(&self) {
        *self.entries() = VecDeque::new();
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<T>> {
        // No code that can panic runs under this lock.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_leaves_first() {
        let log = RequestLog::new(2);
        for number in 1..=3 {
            log.note(|| number);
        }
        assert_eq!(log.all(), [2, 3]);
        log.clear();
        assert!(log.all().is_empty());
    }

    #[test]
    fn a_log_that_is_off_makes_no_entry() {
        let log = RequestLog::new(0);
        log.note(|| panic!("not made"));
        assert!(log.all().is_empty());
    }
}
