//! How many connections there may be, in all and from one address.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    domain::address::AddressKey,
    shares::{Share, Shares},
};

/// The places for connections.
pub(super) struct Places {
    free: Arc<Semaphore>,
    shares: Arc<Shares<AddressKey>>,
    /// Proxies bring the connections of many.
    trusted: Vec<IpNet>,
}

/// A place for whoever comes next.
pub(super) struct AnyPlace {
    permit: OwnedSemaphorePermit,
    places: Arc<Places>,
}

/// A place for one connection, given back when it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _share: Option<Share<AddressKey>>,
}

impl Places {
    pub(super) fn new(all: usize, per_address: usize, trusted: Vec<IpNet>) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { free, shares: Shares::new(per_address), trusted })
    }

    /// Waits for a place.
    pub(super) async fn any(self: &Arc<Self>) -> AnyPlace {
        let permit = Arc::clone(&self.free).acquire_owned().await.expect("it is never closed");
        AnyPlace { permit, places: Arc::clone(self) }
    }
}

impl AnyPlace {
    /// The place, for this address; `None` when it has as many as it may.
    pub(super) fn of(self, address: IpAddr) -> Option<Place> {
        let Self { permit, places } = self;
        if places.trusted.iter().any(|network| network.contains(&address.to_canonical())) {
            return Some(Place { _permit: permit, _share: None });
        }
        let share = places.shares.take(address.into())?;
        Some(Place { _permit: permit, _share: Some(share) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_trusted_proxy_has_more_than_its_share() {
        let places = Places::new(10, 1, vec!["10.0.0.0/8".parse().unwrap()]);
        let address = IpAddr::from([192, 0, 2, 7]);
        let first = places.any().await.of(address);
        assert!(first.is_some());
        assert!(places.any().await.of(address).is_none());
        assert!(places.any().await.of(IpAddr::from([192, 0, 2, 8])).is_some());
        drop(first);
        assert!(places.any().await.of(address).is_some());
        let proxied: Vec<_> = [places.any().await, places.any().await]
            .map(|place| place.of(IpAddr::from([10, 0, 0, 1])))
            .into();
        assert!(proxied.iter().all(Option::is_some));
    }
}
