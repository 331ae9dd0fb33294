//! A delay of every answer that can be changed while a sandbox server runs.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A delay, zero at first.
#[derive(Default)]
pub(super) struct Latency {
    nanoseconds: AtomicU64,
}

impl Latency {
    /// The delay of this moment.
    pub(super) fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    /// Delays from now on by this; at most five centuries.
    pub(super) fn set(&self, delay: Duration) {
        let nanoseconds = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }
}
