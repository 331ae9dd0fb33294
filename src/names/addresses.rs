//! Where a host is: its addresses, by the name servers and nobody else.

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use thiserror::Error;
use tokio::time::timeout;

use super::{Names, Reply, Silence};

/// A host that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its name in the encoded form that certificates and `Host` have.
    pub name: String,
    /// Its addresses, those of IPv4 first; there is one at least.
    pub addresses: Vec<IpAddr>,
}

/// Why a host was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressesError {
    /// There is no such name, or it has no address.
    #[error("the name has no address")]
    None,
    /// No name server said anything that decides, in time.
    #[error("no name server knows")]
    Unknown,
}

impl Names {
    /// The addresses of `host`, a name, known after 3 seconds at the latest.
    ///
    /// Asked for as it is, as for mail; the hosts file and search domains are not consulted.
    ///
    /// # Errors
    ///
    /// When there is none, or none can be found out.
    pub async fn addresses(&self, host: &str) -> Result<Located, AddressesError> {
        let mut name = Name::from_utf8(host).map_err(|_| AddressesError::None)?;
        name.set_fqdn(true);
        let encoded = name.to_ascii();
        let encoded = encoded.strip_suffix('.').unwrap_or(&encoded).to_ascii_lowercase();
        // Digits of other alphabets are encoded as ASCII ones; what is an address then was no name.
        if encoded.parse::<Ipv4Addr>().is_ok() {
            return Err(AddressesError::None);
        }
        let asked = timeout(self.deadline, async {
            tokio::join!(self.ask(&name, RecordType::A), self.ask(&name, RecordType::AAAA))
        });
        let (old, new) = asked.await.map_err(|_| AddressesError::Unknown)?;
        let is_known = old.is_ok() && new.is_ok();
        let addresses: Vec<IpAddr> = [old, new].into_iter().flat_map(records).collect();
        match addresses.is_empty() {
            false => Ok(Located { name: encoded, addresses }),
            true if is_known => Err(AddressesError::None),
            true => Err(AddressesError::Unknown),
        }
    }
}

fn records(reply: Result<Reply, Silence>) -> impl Iterator<Item = IpAddr> {
    let records = match reply {
        Ok(Reply::Records(records)) => records,
        Ok(Reply::NoSuchName) | Err(Silence) => Vec::new(),
    };
    records.into_iter().filter_map(|record| match record {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    })
}
