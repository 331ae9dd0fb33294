//! The time, passed in wherever it is needed so that tests can move it.

use std::{
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A source of the current time; clones share one shift.
#[derive(Clone, Debug)]
pub struct Clock {
    shift_millis: Arc<AtomicI64>,
    began: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { shift_millis: Arc::default(), began: Instant::now() }
    }
}

impl Clock {
    /// A clock that shows this moment now, and goes on from there.
    #[must_use]
    pub fn starting_at(moment: Timestamp) -> Self {
        let clock = Self::default();
        clock.shift_millis.store(moment.0.saturating_sub(clock.now().0), Ordering::Relaxed);
        clock
    }

    /// The current time: the system's, moved by every [`Clock::advance`] so far.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(since_epoch) + self.shift_millis.load(Ordering::Relaxed))
    }

    /// How long this clock has run, moved by every [`Clock::advance`] so far; setting the system's clock
    /// does not change it.
    #[must_use]
    pub fn running(&self) -> Duration {
        let shift = u64::try_from(self.shift_millis.load(Ordering::Relaxed)).unwrap_or(0);
        self.began.elapsed() + Duration::from_millis(shift)
    }

    /// Moves this clock and all its clones forward; nothing that waits on a timer is woken.
    pub fn advance(&self, by: Duration) {
        self.shift_millis.fetch_add(millis(by), Ordering::Relaxed);
    }
}

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment so many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment so many seconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_shift() {
        let clock = Clock::default();
        let before = clock.now();
        clock.clone().advance(Duration::from_secs(3600));
        assert!(clock.now().since(before) >= Duration::from_secs(3600));
    }

    #[test]
    fn a_clock_can_start_in_the_past() {
        let moment = Timestamp::from_unix_seconds(1_700_000_000);
        let clock = Clock::starting_at(moment);
        assert!(clock.now().since(moment) < Duration::from_secs(60));
        assert!(moment <= clock.now());
    }

    #[test]
    fn since_is_zero_for_a_later_moment() {
        let moment = Timestamp::from_unix_seconds(10);
        assert_eq!(moment.since(moment + Duration::from_secs(1)), Duration::ZERO);
    }
}
