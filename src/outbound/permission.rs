//! Which addresses may be called when others name the host: those of the public Internet, and those the
//! operator permits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is not the public Internet of IPv4, by IANA's registry of special-purpose addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>) and that of multicast.
const SPECIAL_IPV4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),       // this network, unspecified
    v4([10, 0, 0, 0], 8),      // private
    v4([100, 64, 0, 0], 10),   // shared by the customers of a provider
    v4([127, 0, 0, 0], 8),     // loopback
    v4([169, 254, 0, 0], 16),  // link-local; clouds tell their secrets there
    v4([172, 16, 0, 0], 12),   // private
    v4([192, 0, 0, 0], 24),    // protocol assignments
    v4([192, 0, 2, 0], 24),    // documentation
    v4([192, 88, 99, 0], 24),  // relays of 6to4
    v4([192, 168, 0, 0], 16),  // private
    v4([198, 18, 0, 0], 15),   // benchmarking
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
    v4([224, 0, 0, 0], 4),     // multicast
    v4([240, 0, 0, 0], 4),     // reserved, broadcast
];

/// All that is given out as the public Internet of IPv6 (<https://www.iana.org/assignments/ipv6-address-space>).
/// Outside it: unspecified, loopback, unique local, link-local, site-local, multicast, and NAT64's `64:ff9b::`.
const PUBLIC_IPV6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What is special inside it (<https://www.iana.org/assignments/iana-ipv6-special-registry>).
const SPECIAL_IPV6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments: Teredo, benchmarking, ORCHID
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4: an address of IPv4 in another form
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation
];

/// Says which addresses may be called.
#[derive(Clone, Debug, Default)]
pub struct Permission {
    networks: Vec<IpNet>,
}

impl Permission {
    /// The public Internet, and these networks besides.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self { networks }
    }

    /// The address to connect to: `address`, or the one of IPv4 that is written in it. `None` when it may
    /// not be called.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<IpAddr> {
        let address = plain(address);
        let is_permitted = self.networks.iter().any(|network| network.contains(&address));
        (is_permitted || is_public(address)).then_some(address)
    }
}

/// An address of IPv4 that is mapped into IPv6 (`::ffff:192.0.2.7`), or compatible with it
/// (`::192.0.2.7`), as what it is.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let is_own = v6.is_unspecified() || v6.is_loopback();
    match v6.to_ipv4() {
        Some(v4) if !is_own => IpAddr::V4(v4),
        Some(_) | None => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_IPV4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            PUBLIC_IPV6.contains(&address)
                && !SPECIAL_IPV6.iter().any(|network| network.contains(&address))
        }
    }
}

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(networks: &[&str], address: &str) -> Option<String> {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        Permission::new(networks).of(address.parse().unwrap()).map(|address| address.to_string())
    }

    #[test]
    fn what_is_not_the_public_internet_is_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ] {
            assert_eq!(allowed(&[], address), None, "{address}");
        }
    }

    #[test]
    fn the_public_internet_is_allowed() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700:4700::1111",
            "2a00:1450::1",
        ] {
            assert_eq!(allowed(&[], address).as_deref(), Some(address));
        }
    }

    #[test]
    fn an_address_of_ipv4_in_ipv6_is_judged_and_called_as_what_it_is() {
        for address in ["::ffff:8.8.8.8", "::8.8.8.8"] {
            assert_eq!(allowed(&[], address).as_deref(), Some("8.8.8.8"), "{address}");
        }
    }

    #[test]
    fn the_operator_permits_networks() {
        let networks = ["10.1.0.0/16", "::1/128", "fd00::/8", "64:ff9b::/96"];
        for (address, called) in [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::1", "::1"),
            ("fd00::7", "fd00::7"),
            ("64:ff9b::808:808", "64:ff9b::808:808"),
        ] {
            assert_eq!(allowed(&networks, address).as_deref(), Some(called));
        }
        for address in ["10.2.0.1", "127.0.0.1", "::", "fe80::1"] {
            assert_eq!(allowed(&networks, address), None, "{address}");
        }
    }
}
