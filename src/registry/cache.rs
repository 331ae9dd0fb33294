//! Answers of the database kept in memory, dropped exactly when they are no longer true.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moka::sync::Cache;

/// Keys are spread over so many locks, each held for the time of one insertion.
const STRIPES: usize = 64;

/// A bounded cache that a change made by this process invalidates at once, even while the old answer is
/// on its way; a change made by another process counts when the entry's life is over.
pub(super) struct Kept<K, V> {
    entries: Cache<K, V>,
    /// How often something under the stripe was invalidated.
    stripes: [Mutex<u64>; STRIPES],
    hasher: RandomState,
}

/// What was true before a question was put to the database.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    changes: u64,
}

impl<K, V> Kept<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of so many bytes, as `weigh` counts them.
    pub(super) fn new(bytes: u64, life: Duration, weigh: fn(&K, &V) -> u32) -> Self {
        Self {
            entries: Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(life).build(),
            stripes: [const { Mutex::new(0) }; STRIPES],
            hasher: RandomState::new(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key)
    }

    /// To be called before the database is asked.
    pub(super) fn ask(&self, key: &K) -> Asked {
        Asked { changes: *self.stripe(key) }
    }

    /// Keeps what the database answered, unless something changed meanwhile.
    pub(super) fn keep(&self, asked: Asked, key: K, value: V) {
        let stripe = self.stripe(&key);
        if *stripe == asked.changes {
            self.entries.insert(key, value);
        }
    }

    /// To be called after a change is stored, and before anybody is told.
    pub(super) fn invalidate(&self, key: &K) {
        let mut stripe = self.stripe(key);
        *stripe += 1;
        self.entries.invalidate(key);
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

    #[test]
    fn an_answer_that_was_overtaken_by_a_change_is_not_kept() {
        let kept = Kept::new(1000, Duration::from_secs(60), |_, _| 1);
        let asked = kept.ask(&1);
        kept.invalidate(&1);
        kept.keep(asked, 1, "old");
        assert_eq!(kept.get(&1), None);
        kept.keep(kept.ask(&1), 1, "new");
        assert_eq!(kept.get(&1), Some("new"));
    }
}
