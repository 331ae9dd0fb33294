//! The limit of an authenticated server: never more than so many accepted requests in any span.
//!
//! Zulip's own limiter is a log of the accepted requests; a token bucket of the same rate would let
//! nearly twice as many through in the first minute.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::{Clock, Timestamp},
    config::Rate,
};

/// Servers are spread over so many locks.
const SHARDS: usize = 16;

/// The limit of each server; a log holds 8 bytes for each request of the last span, and goes when it is empty.
pub(super) struct SlidingLog {
    clock: Clock,
    rate: Rate,
    max_delay: Duration,
    shards: [Mutex<HashMap<i64, VecDeque<i64>>>; SHARDS],
}

/// What the limit says about one request, and what the headers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on, after `delay`, which is zero unless the limit was reached; the request is in the log.
    Allowed {
        /// How long to wait first.
        delay: Duration,
        /// How many more there may be now.
        remaining: u32,
        /// When all of them are free again if nothing comes, in Unix seconds.
        reset: i64,
    },
    /// Refused, and not in the log.
    Refused {
        /// When it would be allowed.
        retry_after: Duration,
        /// As above.
        reset: i64,
    },
}

impl SlidingLog {
    /// A limiter that lets a request wait for at most `max_delay` rather than refuse it.
    #[must_use]
    pub(super) fn new(clock: Clock, rate: Rate, max_delay: Duration) -> Self {
        Self { clock, rate, max_delay, shards: Default::default() }
    }

    /// How many requests there may be in one span.
    #[must_use]
    pub(super) fn limit(&self) -> u32 {
        self.rate.count.get()
    }

    /// The span, in seconds.
    #[must_use]
    pub(super) fn window_seconds(&self) -> u64 {
        self.rate.per.as_secs()
    }

    /// Decides on one request of a server now.
    pub(super) fn check(&self, server_id: i64) -> Decision {
        let (now, span) = (self.running_millis(), self.span_millis());
        let limit = self.rate.count.get() as usize;
        let mut shard = self.shard(server_id);
        let log = shard.entry(server_id).or_default();
        forget(log, now - span);
        // The moment at which the request before `limit` others is old enough. Requests that wait are
        // in the log with the moment they will be let through, so that their order holds.
        let free_at = match log.len().checked_sub(limit) {
            Some(index) => log[index] + span,
            None => now,
        };
        let delay = Duration::from_millis(u64::try_from(free_at - now).unwrap_or(0));
        let is_allowed = delay <= self.max_delay;
        if is_allowed {
            log.push_back(free_at.max(now));
        }
        let newest = log.back().copied().unwrap_or(now);
        let used = log.len();
        drop(shard);
        Verdict { is_allowed, delay, used, whole_in_millis: newest + span - now }
            .told(self.rate, &self.clock)
    }

    /// Notes a request that was let through by somebody else, after `delay`.
    pub(super) fn note(&self, server_id: i64, delay: Duration) {
        let now = self.running_millis();
        let at = now.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        let mut shard = self.shard(server_id);
        let log = shard.entry(server_id).or_default();
        forget(log, now - self.span_millis());
        log.push_back(log.back().map_or(at, |&newest| newest.max(at)));
    }

    /// Forgets servers that made no request within the span.
    pub(super) fn sweep(&self) {
        let oldest = self.running_millis() - self.span_millis();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, log| log.back().is_some_and(|&newest| newest > oldest));
            shard.shrink_to_fit();
        }
    }

    // Time that runs: setting the system's clock back must not keep old requests in the log.
    fn running_millis(&self) -> i64 {
        i64::try_from(self.clock.running().as_millis()).unwrap_or(i64::MAX)
    }

    fn span_millis(&self) -> i64 {
        i64::try_from(self.rate.per.as_millis()).unwrap_or(i64::MAX)
    }

    fn shard(&self, server_id: i64) -> MutexGuard<'_, HashMap<i64, VecDeque<i64>>> {
        let index = server_id.unsigned_abs() as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget(log: &mut VecDeque<i64>, until: i64) {
    while log.front().is_some_and(|&at| at <= until) {
        log.pop_front();
    }
}

/// What a log says of one request, wherever the log is.
pub(super) struct Verdict {
    pub(super) is_allowed: bool,
    /// How long until it is allowed.
    pub(super) delay: Duration,
    /// Entries of the log now.
    pub(super) used: usize,
    /// How long until the log is empty if nothing comes.
    pub(super) whole_in_millis: i64,
}

impl Verdict {
    pub(super) fn told(&self, rate: Rate, clock: &Clock) -> Decision {
        // Rounded up: at that second it is true.
        let then = clock.now().unix_millis().saturating_add(self.whole_in_millis);
        let reset = Timestamp::from_unix_millis(then.saturating_add(999)).unix_seconds();
        if !self.is_allowed {
            return Decision::Refused { retry_after: self.delay, reset };
        }
        let used = u32::try_from(self.used).unwrap_or(u32::MAX);
        let remaining = rate.count.get().saturating_sub(used);
        Decision::Allowed { delay: self.delay, remaining, reset }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limiter(max_delay: Duration) -> (SlidingLog, Clock) {
        let clock = Clock::default();
        let rate = Rate::per_minute(NonZeroU32::new(1000).unwrap());
        (SlidingLog::new(clock.clone(), rate, max_delay), clock)
    }

    fn is_allowed(decision: Decision) -> bool {
        matches!(decision, Decision::Allowed { .. })
    }

    #[test]
    fn exactly_the_limit_is_allowed_in_every_minute() {
        let (limiter, clock) = limiter(Duration::ZERO);
        for _ in 0..2 {
            let allowed = (0..1500).filter(|_| is_allowed(limiter.check(1))).count();
            assert_eq!(allowed, 1000);
            clock.advance(Duration::from_secs(61));
        }
    }

    #[test]
    fn one_server_does_not_use_up_the_limit_of_another() {
        let (limiter, _) = limiter(Duration::ZERO);
        for _ in 0..1001 {
            limiter.check(1);
        }
        assert!(!is_allowed(limiter.check(1)));
        assert!(is_allowed(limiter.check(17)));
    }

    #[test]
    fn a_request_that_is_soon_allowed_waits_instead_of_being_refused() {
        let (limiter, clock) = limiter(Duration::from_secs(3));
        for _ in 0..1000 {
            limiter.check(1);
        }
        assert!(
            matches!(limiter.check(1), Decision::Refused { retry_after, .. } if retry_after > Duration::from_secs(59))
        );
        clock.advance(Duration::from_secs(58));
        assert!(matches!(
            limiter.check(1),
            Decision::Allowed { delay, remaining: 0, .. }
                if delay > Duration::from_secs(1) && delay <= Duration::from_secs(2)
        ));
    }

    #[test]
    fn idle_servers_are_forgotten() {
        let (limiter, clock) = limiter(Duration::ZERO);
        limiter.check(1);
        clock.advance(Duration::from_secs(61));
        limiter.sweep();
        assert!(limiter.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }
}
