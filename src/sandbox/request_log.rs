//! The last requests a sandbox server saw.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

/// Both services refuse longer bodies, so nothing of interest is lost.
const BODY_LIMIT: usize = 8 << 10;

/// What a log keeps of a body.
pub(super) fn remembered(body: &[u8]) -> Bytes {
    // A body that came in one frame is a part of the connection's whole read buffer.
    Bytes::copy_from_slice(&body[..body.len().min(BODY_LIMIT)])
}

/// A bounded list of requests; the oldest leave first.
pub(super) struct RequestLog<T> {
    capacity: usize,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    list: VecDeque<T>,
    /// The number of the first one: entries are numbered from 1 on, through every clearing.
    first: u64,
}

/// Some entries of a log with their numbers.
pub(super) struct Page<T> {
    pub(super) entries: Vec<(u64, T)>,
    /// The number of the log's oldest entry, or of the next one when the log is empty.
    pub(super) oldest: u64,
}

impl<T: Clone> RequestLog<T> {
    /// An empty log of at most so many entries; 0 switches it off.
    pub(super) const fn new(capacity: usize) -> Self {
        let entries = Entries { list: VecDeque::new(), first: 1 };
        Self { capacity, entries: Mutex::new(entries) }
    }

    /// Notes a request; makes no entry when the log is off.
    pub(super) fn note(&self, entry: impl FnOnce() -> T) {
        if self.capacity == 0 {
            return;
        }
        let entry = entry();
        let mut entries = self.entries();
        if entries.list.len() == self.capacity {
            entries.list.pop_front();
            entries.first += 1;
        }
        entries.list.push_back(entry);
    }

    /// All entries, the oldest first.
    pub(super) fn all(&self) -> Vec<T> {
        self.entries().list.iter().cloned().collect()
    }

    /// Shows all entries, the oldest first, while the log stands still.
    pub(super) fn for_each(&self, look: impl FnMut(&T)) {
        self.entries().list.iter().for_each(look);
    }

    /// Forgets all entries and their memory.
    pub(super) fn clear(&self) {
        let mut entries = self.entries();
        entries.first += entries.list.len() as u64;
        entries.list = VecDeque::new();
    }

    /// At most `limit` entries with numbers above `after`, the oldest first.
    pub(super) fn page(&self, after: u64, limit: usize) -> Page<T> {
        let entries = self.entries();
        let skipped = usize::try_from(after.saturating_add(1).saturating_sub(entries.first));
        let skipped = skipped.unwrap_or(usize::MAX);
        let numbered = (entries.first..).zip(&entries.list).skip(skipped).take(limit);
        let page = numbered.map(|(number, entry)| (number, entry.clone())).collect();
        Page { entries: page, oldest: entries.first }
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        // What a reader's function does under this lock cannot break the list.
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
    fn pages_go_on_where_the_last_one_ended() {
        let log = RequestLog::new(3);
        for number in 1..=5 {
            log.note(|| number * 10);
        }
        assert_eq!(log.page(0, 2).entries, [(3, 30), (4, 40)]);
        assert_eq!((log.page(4, 2).entries, log.page(4, 2).oldest), (vec![(5, 50)], 3));
        assert!(log.page(5, 2).entries.is_empty());
        assert!(log.page(u64::MAX, 2).entries.is_empty());
        log.clear();
        assert_eq!(log.page(0, 2).oldest, 6);
        log.note(|| 60);
        assert_eq!(log.page(5, 2).entries, [(6, 60)]);
    }

    #[test]
    fn a_log_that_is_off_makes_no_entry() {
        let log = RequestLog::new(0);
        log.note(|| panic!("not made"));
        assert!(log.all().is_empty());
    }
}
