//! The limit of failed authentication.
//!
//! Whoever guesses is stopped before anything is looked up; whoever got in lately from the same address
//! is not, so that nobody is locked out by a guessing neighbour or by guesses at his own id.

use std::{hash::Hash, time::Duration};

use governor::{
    DefaultKeyedRateLimiter, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use moka::sync::Cache;
use uuid::Uuid;

use super::address::quota;
use crate::{config::Rate, domain::address::AddressKey};

/// Who got in is remembered for so long.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// So many who got in, and so many who are stopped, are remembered at most.
const REMEMBERED: u64 = 100_000;

/// Who failed: an address, or whoever tries an organization's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(AddressKey),
    Organization(Uuid),
}

/// The limit of failures by address and by organization id.
pub struct FailureLimiter {
    limiter: DefaultKeyedRateLimiter<Key>,
    clock: DefaultClock,
    /// Stopped until the entry's own time is over.
    stopped: Cache<Key, std::time::Instant>,
    got_in: Cache<(AddressKey, Uuid), ()>,
    /// Addresses that failed lately. Only these suffer for an organization that is guessed at, so that
    /// its own server gets in also when nobody remembers it.
    failed: Cache<AddressKey, ()>,
}

impl FailureLimiter {
    /// A limiter of this rate of failures for each address and for each id.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            limiter: RateLimiter::keyed(quota(rate)),
            clock: DefaultClock::default(),
            stopped: Cache::builder().max_capacity(REMEMBERED).time_to_live(rate.per).build(),
            failed: Cache::builder().max_capacity(REMEMBERED).time_to_live(rate.per).build(),
            got_in: Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build(),
        }
    }

    /// Whether an attempt may be made at all.
    ///
    /// # Errors
    ///
    /// When there were too many failures: how long until the next attempt is looked at.
    pub fn check(&self, address: AddressKey, organization: Option<Uuid>) -> Result<(), Duration> {
        if let Some(organization) = organization
            && self.got_in.contains_key(&(address, organization))
        {
            return Ok(());
        }
        let organization = organization.filter(|_| self.failed.contains_key(&address));
        let keys = [Some(Key::Address(address)), organization.map(Key::Organization)];
        for key in keys.into_iter().flatten() {
            if let Some(until) = self.stopped.get(&key) {
                let left = until.saturating_duration_since(std::time::Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
            }
        }
        Ok(())
    }

    /// Notes a failure.
    pub fn failed(&self, address: AddressKey, organization: Option<Uuid>) {
        self.failed.insert(address, ());
        let keys = [Some(Key::Address(address)), organization.map(Key::Organization)];
        for key in keys.into_iter().flatten() {
            if let Err(not_until) = self.limiter.check_key(&key) {
                let wait = not_until.wait_time_from(self.clock.now());
                self.stopped.insert(key, std::time::Instant::now() + wait);
            }
        }
    }

    /// Notes a success.
    pub fn succeeded(&self, address: AddressKey, organization: Uuid) {
        if !self.got_in.contains_key(&(address, organization)) {
            self.got_in.insert((address, organization), ());
        }
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

    fn limiter() -> FailureLimiter {
        FailureLimiter::new(Rate::per_minute(NonZeroU32::new(5).unwrap()))
    }

    const GUESSER: [u8; 4] = [192, 0, 2, 7];
    const OWNER: [u8; 4] = [198, 51, 100, 1];

    #[test]
    fn whoever_fails_too_often_is_stopped_by_address_and_by_id() {
        let limiter = limiter();
        let (guesser, other) = (IpAddr::from(GUESSER).into(), IpAddr::from(OWNER).into());
        let organization = Uuid::from_u128(1);
        for _ in 0..6 {
            assert!(limiter.check(guesser, Some(organization)).is_ok());
            limiter.failed(guesser, Some(organization));
        }
        assert!(limiter.check(guesser, None).is_err());
        limiter.failed(other, None);
        assert!(limiter.check(other, Some(organization)).is_err());
        assert!(limiter.check(other, None).is_ok());
    }

    #[test]
    fn whoever_got_in_is_not_locked_out_by_others() {
        let limiter = limiter();
        let (guesser, owner) = (IpAddr::from(GUESSER).into(), IpAddr::from(OWNER).into());
        let organization = Uuid::from_u128(1);
        limiter.succeeded(owner, organization);
        for _ in 0..6 {
            limiter.failed(guesser, Some(organization));
        }
        // Its address has failed with another id since; it is known all the same.
        limiter.failed(owner, None);
        assert!(limiter.check(owner, Some(organization)).is_ok());
        assert!(limiter.check(guesser, Some(organization)).is_err());
    }

    #[test]
    fn guesses_at_an_id_do_not_stop_an_address_that_never_failed() {
        let limiter = limiter();
        let (guesser, owner) = (IpAddr::from(GUESSER).into(), IpAddr::from(OWNER).into());
        let organization = Uuid::from_u128(1);
        for _ in 0..6 {
            limiter.failed(guesser, Some(organization));
        }
        assert!(limiter.check(owner, Some(organization)).is_ok());
    }
}
