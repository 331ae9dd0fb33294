//! A limit of all requests together, whoever makes them: never more than so many in any span.

use std::time::Duration;

use super::{Decision, sliding_log::SlidingLog};
use crate::{clock::Clock, config::Rate};

/// All requests count as those of this one server.
const EVERYBODY: i64 = 0;

/// The limit of all requests together.
pub struct TotalLimiter {
    log: SlidingLog,
}

impl TotalLimiter {
    /// A limiter of this rate.
    #[must_use]
    pub fn new(clock: Clock, rate: Rate) -> Self {
        Self { log: SlidingLog::new(clock, rate, Duration::ZERO) }
    }

    /// Counts one request; false when it is one too many, and then it does not count.
    #[must_use]
    pub fn check(&self) -> bool {
        matches!(self.log.check(EVERYBODY), Decision::Allowed { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn one_too_many_is_refused_until_the_first_is_old() {
        let clock = Clock::default();
        let limiter = TotalLimiter::new(clock.clone(), Rate::per_day(NonZeroU32::new(2).unwrap()));
        let hour = Duration::from_secs(60 * 60);
        assert!(limiter.check());
        clock.advance(hour);
        assert!(limiter.check());
        assert!(!limiter.check());
        clock.advance(23 * hour + Duration::from_secs(1));
        assert!(limiter.check(), "the refused one does not count");
        assert!(!limiter.check());
    }
}
