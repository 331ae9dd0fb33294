//! Lets something happen now and then, and not more often.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// When it happened last, in milliseconds of [`Clock::running`](crate::clock::Clock::running) and one; 0 for
/// never.
#[derive(Default)]
pub(super) struct Gate(AtomicU64);

impl Gate {
    /// Whether it may happen now: it did not within `interval`. Only one of those who ask at once is told yes.
    pub(super) fn opens(&self, running: Duration, interval: Duration) -> bool {
        let now = millis(running).saturating_add(1);
        let last = self.0.load(Ordering::Relaxed);
        (last == 0 || now.saturating_sub(last) >= millis(interval))
            && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_once_in_an_interval() {
        let gate = Gate::default();
        let opens = |seconds| gate.opens(Duration::from_secs(seconds), Duration::from_secs(10));
        assert_eq!([0, 9, 10, 11, 20].map(opens), [true, false, true, false, true]);
    }
}
