//! The limit of failed authentication.
//!
//! It never stands between a server and the right key: whoever guesses is told to wait, and gets few looks
//! into the database; a right key is let in all the same. Otherwise a guesser could lock a server out, and a
//! misconfigured server its neighbours behind one address.

use std::time::Duration;

use governor::{
    DefaultKeyedRateLimiter, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use moka::sync::Cache;

use super::address::quota;
use crate::{config::Rate, domain::address::AddressKey};

/// So many addresses that failed too often are remembered at most.
const REMEMBERED: u64 = 100_000;

/// The limit of failures by address.
pub struct FailureLimiter {
    limiter: DefaultKeyedRateLimiter<AddressKey>,
    clock: DefaultClock,
    suspects: Cache<AddressKey, ()>,
}

impl FailureLimiter {
    /// A limiter of this rate of failures for each address.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            limiter: RateLimiter::keyed(quota(rate)),
            clock: DefaultClock::default(),
            suspects: Cache::builder().max_capacity(REMEMBERED).time_to_live(rate.per).build(),
        }
    }

    /// Whether an address failed too often lately.
    pub fn is_suspect(&self, address: AddressKey) -> bool {
        self.suspects.contains_key(&address)
    }

    /// Notes a failure.
    ///
    /// # Errors
    ///
    /// When it is one too many: how long until the next is answered as what it is.
    pub fn failed(&self, address: AddressKey) -> Result<(), Duration> {
        self.limiter.check_key(&address).map_err(|not_until| {
            self.suspects.insert(address, ());
            not_until.wait_time_from(self.clock.now())
        })
    }

    /// Forgets those whose limit is whole again.
    pub fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, num::NonZeroU32};

    use super::*;

    #[test]
    fn whoever_fails_too_often_is_a_suspect() {
        let limiter = FailureLimiter::new(Rate::per_minute(NonZeroU32::new(5).unwrap()));
        let guesser = IpAddr::from([192, 0, 2, 7]).into();
        for _ in 0..5 {
            limiter.failed(guesser).unwrap();
        }
        assert!(!limiter.is_suspect(guesser));
        assert!(limiter.failed(guesser).is_err());
        assert!(limiter.is_suspect(guesser));
        assert!(!limiter.is_suspect(IpAddr::from([192, 0, 2, 8]).into()));
    }
}
