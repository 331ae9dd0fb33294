//! How much of something each one has at a time: each address, each server.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

pub use memory::{Hold, Memory};

mod memory;

/// Counts what each one has, up to a bound.
pub struct Shares<K: Copy + Eq + Hash> {
    each: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// One that somebody has, given back when it is dropped.
pub struct Share<K: Copy + Eq + Hash> {
    owner: K,
    shares: Arc<Shares<K>>,
}

impl<K: Copy + Eq + Hash> Shares<K> {
    /// So many for each.
    #[must_use]
    pub fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { each, taken: Mutex::default() })
    }

    /// One more for `owner`; `None` when it has all it may have.
    pub fn take(self: &Arc<Self>, owner: K) -> Option<Share<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(owner).or_insert(0);
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share { owner, shares: Arc::clone(self) })
    }
}

impl<K: Copy + Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_only_its_share_and_gets_it_back() {
        let shares = Shares::new(1);
        let (one, other) = (1, 2);
        let first = shares.take(one);
        assert!(first.is_some());
        assert!(shares.take(one).is_none());
        assert!(shares.take(other).is_some());
        drop(first);
        assert!(shares.take(one).is_some());
    }
}
