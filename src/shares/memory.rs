//! Memory with a bound, taken as it is needed, of which each one has only a share.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Each one has at most this part of what is free.
const OWNERS: usize = 4;

/// About this part is kept for those who cannot go on.
const KEPT: usize = 8;

/// Memory in kibibytes. Who takes more of it step by step may find that all of it is held by others who wait
/// for more just as well. For them there are a few exits: the whole of the largest need, kept apart. Who
/// comes to one gives back what it had, and needs to wait no more.
pub struct Memory<K: Copy + Eq + Hash> {
    free: Arc<Semaphore>,
    exits: Arc<Semaphore>,
    share: usize,
    owners: Mutex<HashMap<K, Owner>>,
}

/// What one may still take, and for how many things it is taking.
struct Owner {
    share: Arc<Semaphore>,
    holds: usize,
}

/// What was taken for one thing, given back when it is dropped.
pub struct Hold<K: Copy + Eq + Hash> {
    memory: Arc<Memory<K>>,
    owner: K,
    share: Arc<Semaphore>,
    kibibytes: usize,
    taken: Option<[OwnedSemaphorePermit; 2]>,
    exit: Option<OwnedSemaphorePermit>,
}

impl<K: Copy + Eq + Hash> Memory<K> {
    /// So many kibibytes in all, for things of which the largest needs so many. A need beyond half of all
    /// is met nevertheless, for one at a time.
    #[must_use]
    pub fn new(kibibytes: usize, largest: usize) -> Arc<Self> {
        let largest = largest.max(1);
        let exits = (kibibytes / KEPT / largest).max(1);
        let free = kibibytes.saturating_sub(exits.saturating_mul(largest)).max(kibibytes / 2);
        Arc::new(Self {
            free: Arc::new(Semaphore::new(free)),
            exits: Arc::new(Semaphore::new(exits)),
            share: free / OWNERS,
            owners: Mutex::default(),
        })
    }

    /// Nothing yet, for something that `owner` has.
    pub fn hold(self: &Arc<Self>, owner: K) -> Hold<K> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = owners
            .entry(owner)
            .or_insert_with(|| Owner { share: Arc::new(Semaphore::new(self.share)), holds: 0 });
        entry.holds += 1;
        Hold {
            memory: Arc::clone(self),
            owner,
            share: Arc::clone(&entry.share),
            kibibytes: 0,
            taken: None,
            exit: None,
        }
    }
}

impl<K: Copy + Eq + Hash> Hold<K> {
    /// Waits until so many kibibytes are taken in all. It keeps what it had when it is dropped before.
    pub async fn grow_to(&mut self, kibibytes: usize) {
        if self.exit.is_some() || kibibytes <= self.kibibytes {
            return;
        }
        let more = u32::try_from(kibibytes - self.kibibytes).unwrap_or(u32::MAX);
        let step = async {
            // A server that has all its share does not stand in the way of others.
            let share = Arc::clone(&self.share).acquire_many_owned(more).await;
            let free = Arc::clone(&self.memory.free).acquire_many_owned(more).await;
            [share, free].map(|permit| permit.expect("it is never closed"))
        };
        tokio::select! {
            biased;
            [share, free] = step => {
                match &mut self.taken {
                    Some([all_share, all_free]) => {
                        all_share.merge(share);
                        all_free.merge(free);
                    }
                    None => self.taken = Some([share, free]),
                }
                self.kibibytes = kibibytes;
            }
            exit = Arc::clone(&self.memory.exits).acquire_owned() => {
                self.exit = Some(exit.expect("it is never closed"));
                self.taken = None;
            }
        }
    }
}

impl<K: Copy + Eq + Hash> Drop for Hold<K> {
    fn drop(&mut self) {
        let mut owners = self.memory.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.get_mut(&self.owner) {
            owner.holds -= 1;
            if owner.holds == 0 {
                owners.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// A hundred are free, 25 for each; there is one exit.
    fn memory() -> Arc<Memory<u32>> {
        Memory::new(120, 20)
    }

    #[test]
    fn who_has_its_share_waits_and_others_do_not() {
        let memory = memory();
        let (one, other) = (1, 2);
        let mut first = memory.hold(one);
        assert!(first.grow_to(20).now_or_never().is_some());
        assert!(first.grow_to(25).now_or_never().is_some());
        let mut second = memory.hold(one);
        assert!(second.grow_to(20).now_or_never().is_some(), "there is an exit");
        let mut third = memory.hold(one);
        assert!(third.grow_to(1).now_or_never().is_none());
        assert!(memory.hold(other).grow_to(20).now_or_never().is_some());
        drop(first);
        assert!(third.grow_to(20).now_or_never().is_some());
        drop((second, third));
        assert!(memory.owners.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn all_who_wait_for_more_come_through_one_after_the_other() {
        let memory = memory();
        let mut halves = Vec::new();
        for owner in 0..10 {
            let mut hold = memory.hold(owner);
            hold.grow_to(10).await;
            halves.push(hold);
        }
        let whole = halves.into_iter().map(|mut half| async move { half.grow_to(20).await });
        futures_util::future::join_all(whole).await;
        assert_eq!(memory.free.available_permits(), 100);
    }

    #[test]
    fn a_need_beyond_all_is_met_for_one_at_a_time() {
        let memory = Memory::new(100, 1000);
        let mut first = memory.hold(1);
        assert!(first.grow_to(1000).now_or_never().is_some());
        assert!(memory.hold(2).grow_to(1000).now_or_never().is_none());
        assert!(memory.hold(2).grow_to(12).now_or_never().is_some());
    }
}
