//! Where a host is that the operator named: by the hosts file first, as with other programs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::{
    Hosts,
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
};

use super::{AddressesError, Names};

impl Names {
    /// The addresses of `host` as the operator means it: its own if it is one, those of the hosts file
    /// (`/etc/hosts`), and else what the name servers tell within 3 seconds.
    ///
    /// Not for hosts that others name, which must not reach what only the operator's machine knows.
    ///
    /// # Errors
    ///
    /// When there is none, or none can be found out.
    pub async fn addresses_of_own(&self, host: &str) -> Result<Vec<IpAddr>, AddressesError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let listed = of_hosts_file(host).await;
        if !listed.is_empty() {
            return Ok(listed);
        }
        if host.eq_ignore_ascii_case("localhost") {
            // "name resolution APIs ... SHOULD always return the IP loopback address",
            // https://www.rfc-editor.org/rfc/rfc6761#section-6.3
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        Ok(self.addresses(host).await?.addresses)
    }
}

/// Read anew each time: it is short, and may be changed while the bouncer runs.
async fn of_hosts_file(host: &str) -> Vec<IpAddr> {
    let Ok(mut name) = Name::from_utf8(host) else { return Vec::new() };
    name.set_fqdn(true);
    let read = tokio::task::spawn_blocking(Hosts::from_system).await;
    let Ok(Ok(hosts)) = read else { return Vec::new() };
    let kinds = [RecordType::A, RecordType::AAAA];
    let found = kinds
        .into_iter()
        .filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)));
    found
        .flat_map(|found| {
            found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()
        })
        .collect()
}
