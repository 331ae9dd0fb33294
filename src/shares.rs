//! How much of something each address has at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::address::AddressKey;

/// Counts what each address has, up to a bound.
pub struct Shares {
    per_address: usize,
    taken: Mutex<HashMap<AddressKey, usize>>,
}

/// One of an address's, given back when it is dropped.
pub struct Share {
    address: AddressKey,
    shares: Arc<Shares>,
}

impl Shares {
    /// So many for each address.
    #[must_use]
    pub fn new(per_address: usize) -> Arc<Self> {
        Arc::new(Self { per_address, taken: Mutex::default() })
    }

    /// One more for an address; `None` when it has all it may have.
    pub fn take(self: &Arc<Self>, address: AddressKey) -> Option<Share> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_insert(0);
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(Share { address, shares: Arc::clone(self) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn an_address_has_only_its_share_and_gets_it_back() {
        let shares = Shares::new(1);
        let (one, other) =
            (IpAddr::from([192, 0, 2, 7]).into(), IpAddr::from([192, 0, 2, 8]).into());
        let first = shares.take(one);
        assert!(first.is_some());
        assert!(shares.take(one).is_none());
        assert!(shares.take(other).is_some());
        drop(first);
        assert!(shares.take(one).is_some());
    }
}
