//! Limits by the caller's address.

use std::time::Duration;

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

use crate::{config::Rate, domain::address::AddressKey};

/// A limit by address: all at once, then evenly.
pub struct AddressLimiter {
    limiter: DefaultKeyedRateLimiter<AddressKey>,
    clock: DefaultClock,
}

impl AddressLimiter {
    /// A limiter of this rate for each address.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { limiter: RateLimiter::keyed(quota(rate)), clock: DefaultClock::default() }
    }

    /// Decides on one request.
    ///
    /// # Errors
    ///
    /// When it is one too many: how long until the next is allowed.
    pub fn check(&self, address: AddressKey) -> Result<(), Duration> {
        self.limiter
            .check_key(&address)
            .map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// Forgets addresses whose limit is whole again.
    pub fn sweep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

pub(super) fn quota(rate: Rate) -> Quota {
    Quota::with_period(rate.per / rate.count.get())
        .expect("a rate's span is not zero")
        .allow_burst(rate.count)
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, num::NonZeroU32};

    use super::*;

    #[test]
    fn one_too_many_is_refused_with_the_time_to_wait() {
        let limiter = AddressLimiter::new(Rate::per_minute(NonZeroU32::new(60).unwrap()));
        let address = AddressKey::from(IpAddr::from([192, 0, 2, 7]));
        for _ in 0..60 {
            limiter.check(address).unwrap();
        }
        assert!(limiter.check(address).unwrap_err() <= Duration::from_secs(1));
    }
}
