//! Answers of the database kept in memory, dropped exactly when they are no longer true.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moka::sync::Cache;

use super::contact::{Contact, nanoseconds};

/// Keys are spread over so many locks, each held for the time of one insertion.
const STRIPES: usize = 64;

/// How long an answer is given from memory while what other nodes announce arrives.
const ANNOUNCED_LIFE: Duration = Duration::from_secs(60);

/// How long an answer counts, from the moment on at which it was asked for.
#[derive(Clone, Copy)]
pub(super) struct Life {
    /// After this time a change that nobody announced counts.
    pub(super) fresh: Duration,
    /// Whether changes are announced; then it counts for longer while announcements arrive.
    pub(super) is_announced: bool,
    /// For so long after that it is given while the database fails.
    pub(super) without_database: Duration,
}

/// A bounded cache that a change made by this process invalidates at once, even while the old answer is
/// on its way; a change made by another process counts when it is heard of, or the entry's life is over.
///
/// An answer whose life is over stays for the time when there is no database.
pub(super) struct Kept<K, V> {
    entries: Cache<K, Entry<V>>,
    life: Life,
    contact: Arc<Contact>,
    /// How often something under the stripe was invalidated.
    stripes: [Mutex<u64>; STRIPES],
    hasher: RandomState,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    asked_at: u64,
    /// A change was tried, and nobody knows whether it was stored.
    is_doubtful: bool,
}

/// What was true before a question was put to the database.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    changes: u64,
    at: u64,
}

impl Life {
    fn longest(self) -> Duration {
        match self.is_announced {
            true => self.fresh.max(ANNOUNCED_LIFE),
            false => self.fresh,
        }
    }
}

impl<K, V> Kept<K, V>
where
    K: Clone + Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of so many bytes, as `weigh` counts them.
    pub(super) fn new(
        bytes: u64,
        life: Life,
        contact: Arc<Contact>,
        weigh: fn(&K, &V) -> u32,
    ) -> Self {
        let entries = Cache::builder()
            .max_capacity(bytes)
            .weigher(move |key, entry: &Entry<V>| weigh(key, &entry.value))
            .time_to_live(life.longest() + life.without_database)
            .build();
        let stripes = [const { Mutex::new(0) }; STRIPES];
        Self { entries, life, contact, stripes, hasher: RandomState::new() }
    }

    /// What the database would answer.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key)?;
        let now = self.contact.now();
        let age = now.saturating_sub(entry.asked_at);
        let is_fresh = !entry.is_doubtful
            && (age < nanoseconds(self.life.fresh)
                || (self.life.is_announced
                    && age < nanoseconds(ANNOUNCED_LIFE)
                    && self.contact.hears_since(entry.asked_at, now)));
        is_fresh.then_some(entry.value)
    }

    /// What the database answered last, for when it fails.
    pub(super) fn last_known(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key).filter(|entry| self.is_usable(entry))?;
        self.contact.count_from_memory();
        Some(entry.value)
    }

    /// Whether there is anything to be given while the database fails.
    pub(super) fn has_any_known(&self) -> bool {
        self.entries.iter().any(|(_, entry)| self.is_usable(&entry))
    }

    fn is_usable(&self, entry: &Entry<V>) -> bool {
        let Life { without_database, .. } = self.life;
        let age = self.contact.now().saturating_sub(entry.asked_at);
        !without_database.is_zero() && age < nanoseconds(self.life.longest() + without_database)
    }

    /// To be called before the database is asked.
    pub(super) fn ask(&self, key: &K) -> Asked {
        Asked { changes: *self.stripe(key), at: self.contact.now() }
    }

    /// Keeps what the database answered, unless something changed meanwhile.
    pub(super) fn keep(&self, asked: Asked, key: K, value: V) {
        let stripe = self.stripe(&key);
        if *stripe == asked.changes {
            self.entries.insert(key, Entry { value, asked_at: asked.at, is_doubtful: false });
        }
    }

    /// To be called after a change was tried, and before anybody is told. Of one that may not be stored, what was
    /// true before it stays known for the time without a database.
    pub(super) fn changed(&self, key: &K, is_stored: bool) {
        let mut stripe = self.stripe(key);
        *stripe += 1;
        match self.entries.get(key) {
            Some(entry) if !is_stored => {
                self.entries.insert(key.clone(), Entry { is_doubtful: true, ..entry });
            }
            _ => self.entries.invalidate(key),
        }
    }

    /// To be called when a change is known to be stored.
    pub(super) fn invalidate(&self, key: &K) {
        self.changed(key, true);
    }

    /// The same for all keys.
    pub(super) fn invalidate_all(&self) {
        for stripe in &self.stripes {
            *stripe.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
        self.entries.invalidate_all();
    }

    fn stripe(&self, key: &K) -> MutexGuard<'_, u64> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
        let index = self.hasher.hash_one(key) as usize % STRIPES;
        self.stripes[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, metrics::Metrics};

    const SECOND: Duration = Duration::from_secs(1);

    struct Stage {
        clock: Clock,
        contact: Arc<Contact>,
        kept: Kept<u8, &'static str>,
    }

    fn stage(is_announced: bool) -> Stage {
        let clock = Clock::default();
        let contact = Arc::new(Contact::new(clock.clone(), Arc::new(Metrics::default())));
        let life = Life { fresh: SECOND, is_announced, without_database: 600 * SECOND };
        let kept = Kept::new(1000, life, Arc::clone(&contact), |_, _| 1);
        Stage { clock, contact, kept }
    }

    fn keep(kept: &Kept<u8, &'static str>, value: &'static str) {
        kept.keep(kept.ask(&1), 1, value);
    }

    #[test]
    fn an_answer_that_was_overtaken_by_a_change_is_not_kept() {
        let Stage { kept, .. } = stage(false);
        let asked = kept.ask(&1);
        kept.invalidate(&1);
        kept.keep(asked, 1, "old");
        assert_eq!(kept.get(&1), None);
        keep(&kept, "new");
        assert_eq!(kept.get(&1), Some("new"));
    }

    #[test]
    fn an_answer_is_fresh_for_a_second_and_known_for_longer() {
        let Stage { clock, kept, .. } = stage(false);
        keep(&kept, "known");
        clock.advance(SECOND);
        assert_eq!((kept.get(&1), kept.last_known(&1)), (None, Some("known")));
        assert!(kept.has_any_known());
        clock.advance(600 * SECOND);
        assert_eq!(kept.last_known(&1), None);
        assert!(!kept.has_any_known());
    }

    #[test]
    fn it_is_fresh_for_longer_only_while_announcements_are_known_to_arrive() {
        let Stage { clock, contact, kept } = stage(true);
        keep(&kept, "before");
        contact.listen();
        contact.hear(contact.now());
        clock.advance(SECOND);
        contact.hear(contact.now());
        assert_eq!(kept.get(&1), None, "it may have changed before anybody listened");

        keep(&kept, "after");
        clock.advance(30 * SECOND);
        assert_eq!(kept.get(&1), None, "nobody knows whether announcements arrive");
        contact.hear(contact.now());
        assert_eq!(kept.get(&1), Some("after"));
        contact.stop_listening();
        assert_eq!(kept.get(&1), None);
        contact.listen();
        contact.hear(contact.now());
        assert_eq!(kept.get(&1), None, "something may have been announced in between");

        keep(&kept, "again");
        clock.advance(60 * SECOND);
        contact.hear(contact.now());
        assert_eq!(kept.get(&1), None, "whatever was announced");
        assert_eq!(kept.last_known(&1), Some("again"));
    }

    #[test]
    fn what_a_change_replaced_is_known_only_where_it_may_have_failed() {
        let Stage { kept, .. } = stage(true);
        keep(&kept, "before");
        kept.changed(&1, false);
        assert_eq!((kept.get(&1), kept.last_known(&1)), (None, Some("before")));
        kept.changed(&1, true);
        assert_eq!((kept.get(&1), kept.last_known(&1)), (None, None));
    }
}
