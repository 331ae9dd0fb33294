//! Where a host is, each time a connection to it is opened: asked anew, and remembered for when nobody answers.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    names::{AddressesError, Names},
    random::Random,
};

/// A host with many addresses is tried this often.
const MAX_ADDRESSES: usize = 8;

/// Where addresses are known, name servers are waited for so long only: the push attempt that waits has four
/// seconds by default. One server that is down and one that answers fit into it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Finds hosts that the operator named.
pub(super) struct Addresses {
    names: Names,
    random: Random,
    /// By host: as many as there are push services, token endpoints and proxies in the settings.
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    addresses: Vec<IpAddr>,
    /// They could not be asked for the last time.
    is_old: bool,
}

impl Addresses {
    pub(super) fn new(names: Names, random: Random) -> Self {
        Self { names, random, known: Mutex::default() }
    }

    /// The addresses of `host` in the order in which they are to be tried: each time another one first, so
    /// that many nodes spread, and those of IPv6 and IPv4 in turn.
    ///
    /// # Errors
    ///
    /// When it has none, or when the name servers do not tell and never did.
    pub(super) async fn find(&self, host: &str) -> Result<Vec<IpAddr>, AddressesError> {
        let known = self.known().get(host).map(|known| known.addresses.clone());
        let asked = self.names.addresses_of_own(host);
        let found = match known {
            None => asked.await,
            Some(_) => timeout(PATIENCE, asked).await.unwrap_or(Err(AddressesError::Unknown)),
        };
        let addresses = match (found, known) {
            (Ok(found), _) => {
                self.remember(host, &found);
                found
            }
            (Err(AddressesError::Unknown), Some(known)) => {
                self.fall_back(host);
                known
            }
            (Err(error), _) => return Err(error),
        };
        let [high, low] = self.random.bytes();
        Ok(arrange(&addresses, usize::from(u16::from_be_bytes([high, low]))))
    }

    fn remember(&self, host: &str, addresses: &[IpAddr]) {
        let known = Known { addresses: addresses.to_vec(), is_old: false };
        if self.known().insert(host.to_owned(), known).is_some_and(|before| before.is_old) {
            tracing::info!(
                event = "outbound.names_answer",
                host,
                "the name servers tell the addresses again"
            );
        }
    }

    /// Says once that old addresses are used.
    fn fall_back(&self, host: &str) {
        let mut state = self.known();
        if let Some(known) = state.get_mut(host)
            && !known.is_old
        {
            known.is_old = true;
            tracing::warn!(
                event = "outbound.names_silent",
                host,
                "no name server tells the addresses; those known from before are used"
            );
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both families in turn, IPv6 first as RFC 8305, section 4 has it, each begun at a place of its list that
/// `turn` decides.
fn arrange(addresses: &[IpAddr], turn: usize) -> Vec<IpAddr> {
    let family = |is_new: bool| {
        let family = addresses.iter().filter(move |address| address.is_ipv6() == is_new);
        let count = family.clone().count().max(1);
        family.clone().cycle().skip(turn % count).take(family.count()).copied()
    };
    let (mut new, mut old) = (family(true), family(false));
    let in_turn = std::iter::from_fn(|| {
        let pair = [new.next(), old.next()];
        pair.iter().any(Option::is_some).then_some(pair)
    });
    in_turn.flatten().flatten().take(MAX_ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_first_one_changes() {
        let given = addresses(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "::1", "::2"]);
        let expected = [
            ["::1", "192.0.2.1", "::2", "192.0.2.2", "192.0.2.3"],
            ["::2", "192.0.2.2", "::1", "192.0.2.3", "192.0.2.1"],
            ["::1", "192.0.2.3", "::2", "192.0.2.1", "192.0.2.2"],
        ];
        for (turn, expected) in expected.into_iter().enumerate() {
            assert_eq!(arrange(&given, turn), addresses(&expected), "turn {turn}");
        }
    }

    #[test]
    fn one_family_alone_is_turned_too() {
        let given = addresses(&["192.0.2.1", "192.0.2.2"]);
        assert_eq!(arrange(&given, 7), addresses(&["192.0.2.2", "192.0.2.1"]));
        assert_eq!(arrange(&[], 7), addresses(&[]));
    }

    #[test]
    fn of_many_addresses_all_have_their_turn() {
        let given: Vec<IpAddr> = (0..40).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        let mut seen: Vec<IpAddr> = (0..40).flat_map(|turn| arrange(&given, turn)).collect();
        assert_eq!(arrange(&given, 0).len(), MAX_ADDRESSES);
        seen.sort();
        seen.dedup();
        assert_eq!(seen, given);
    }
}
