//! When the next access token may be fetched after one could not be had.

use std::time::Duration;

use crate::random::Random;

/// About so long after the first failure, and twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// An outage that ends is noticed within so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Failures in a row; times are those of [`Clock::running`](crate::clock::Clock::running).
pub(super) struct Failures<E> {
    count: u32,
    not_before: Duration,
    last: Option<E>,
}

impl<E> Default for Failures<E> {
    fn default() -> Self {
        Self { count: 0, not_before: Duration::ZERO, last: None }
    }
}

impl<E: Clone> Failures<E> {
    /// The last failure, while the pause after it lasts.
    pub(super) fn pausing(&self, running: Duration) -> Option<&E> {
        self.last.as_ref().filter(|_| running < self.not_before)
    }

    /// Notes another failure; the pause is between half and all of what it may be, so that nodes do not ask at
    /// the same moment.
    pub(super) fn note(&mut self, error: E, running: Duration, random: &Random) {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.count.min(16)).min(LONGEST_PAUSE);
        let share = u32::from(u16::from_be_bytes(random.bytes())) + u32::from(u16::MAX);
        self.not_before = running + longest * share / (2 * u32::from(u16::MAX));
        self.count = self.count.saturating_add(1);
        self.last = Some(error);
    }

    pub(super) fn clear(&mut self) {
        (self.count, self.last) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_differ() {
        let random = Random::default();
        let mut pauses = Vec::new();
        for _ in 0..50 {
            let mut failures = Failures::default();
            for (count, longest) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
                failures.note((), Duration::ZERO, &random);
                let pause = failures.not_before;
                let longest = Duration::from_secs(longest);
                assert!((longest / 2..=longest).contains(&pause), "{count}: {pause:?}");
                assert!(failures.pausing(pause - Duration::from_millis(1)).is_some());
                assert!(failures.pausing(pause).is_none());
            }
            pauses.push(failures.not_before);
            failures.clear();
            assert!(failures.pausing(Duration::ZERO).is_none());
        }
        pauses.sort_unstable();
        pauses.dedup();
        assert!(pauses.len() > 10, "they differ: {pauses:?}");
    }
}
