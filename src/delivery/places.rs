//! How many attempts are under way at once for each app: one that is slow takes no place of another.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::providers::AppKey;

/// Places for attempts; each app has its part of them.
pub(super) struct Places {
    of_each: usize,
    taken: Arc<[AtomicUsize]>,
}

/// A place that is taken for as long as this lives.
pub(super) struct Place {
    taken: Arc<[AtomicUsize]>,
    app: AppKey,
}

impl Places {
    /// So many for all apps together.
    pub(super) fn new(all: usize, apps: usize) -> Self {
        let taken = (0..apps).map(|_| AtomicUsize::new(0)).collect();
        Self { of_each: (all / apps.max(1)).max(1), taken }
    }

    pub(super) fn has_room(&self, app: AppKey) -> bool {
        self.taken[app.index()].load(Ordering::Relaxed) < self.of_each
    }

    /// Whether no app has room.
    pub(super) fn are_all_taken(&self) -> bool {
        self.taken.iter().all(|taken| taken.load(Ordering::Relaxed) >= self.of_each)
    }

    /// Takes a place. Several that ask at the same moment may get one too many.
    pub(super) fn take(&self, app: AppKey) -> Place {
        self.taken[app.index()].fetch_add(1, Ordering::Relaxed);
        Place { taken: Arc::clone(&self.taken), app }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken[self.app.index()].fetch_sub(1, Ordering::Relaxed);
    }
}
