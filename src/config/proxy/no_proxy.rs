//! Who is reached without the proxy.

use std::net::IpAddr;

use ipnet::IpNet;

/// Hosts that are reached without the proxy; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    /// Only this port; nothing for all.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// This name and all below it.
    Name(String),
    Network(IpNet),
}

impl NoProxy {
    /// The rules in a list; empty entries say nothing.
    ///
    /// # Errors
    ///
    /// The first entry that says nothing to us.
    pub fn parse<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Result<Self, String> {
        let mut rules = Vec::new();
        for entry in entries {
            let entry = entry.as_ref().trim();
            if !entry.is_empty() {
                rules.push(Rule::parse(entry).ok_or_else(|| entry.to_owned())?);
            }
        }
        Ok(Self { rules })
    }

    /// Whether `host`, a name or an address without brackets, is reached without the proxy.
    ///
    /// Networks are for hosts that are addresses: a name is not resolved for this.
    #[must_use]
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        self.rules.iter().any(|rule| {
            rule.port.is_none_or(|only| only == port)
                && match &rule.hosts {
                    Hosts::All => true,
                    Hosts::Name(name) => {
                        let above = host.strip_suffix(name.as_str());
                        above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    }
                    Hosts::Network(network) => {
                        address.is_some_and(|address| network.contains(&address))
                    }
                }
        })
    }
}

impl Rule {
    fn parse(entry: &str) -> Option<Self> {
        if let Some(hosts) = hosts(entry) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = entry.rsplit_once(':')?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        // Without brackets nobody knows where an address of IPv6 ends.
        if !is_port || host.contains(':') && !host.starts_with('[') {
            return None;
        }
        Some(Self { hosts: hosts(host)?, port: Some(port.parse().ok()?) })
    }
}

fn hosts(text: &str) -> Option<Hosts> {
    if text == "*" {
        return Some(Hosts::All);
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(Hosts::Network(network));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Some(Hosts::Network(address.to_canonical().into()));
    }
    let name = text.strip_prefix('*').unwrap_or(text);
    let is_below = name.len() < text.len();
    if is_below && !name.starts_with('.') {
        return None;
    }
    let name = name.strip_prefix('.').unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_allowed)
    };
    name.split('.').all(is_label).then_some(Hosts::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(entry: &str, host: &str, port: u16) -> bool {
        NoProxy::parse([entry]).unwrap().covers(host, port)
    }

    #[test]
    fn a_name_covers_itself_and_all_below_it() {
        for entry in ["example.com", ".example.com", "*.example.com", " EXAMPLE.com. "] {
            for host in ["example.com", "a.example.com", "A.b.Example.com", "example.com."] {
                assert!(covers(entry, host, 443), "{entry} {host}");
            }
            for host in ["badexample.com", "example.com.net", "com", "192.0.2.1"] {
                assert!(!covers(entry, host, 443), "{entry} {host}");
            }
        }
    }

    #[test]
    fn an_address_covers_itself_and_a_network_its_addresses() {
        for (entry, host, is_covered) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.10", false),
            ("192.0.2.0/24", "192.0.2.10", true),
            ("192.0.2.0/24", "192.0.3.10", false),
            ("192.0.2.0/24", "192.0.2.10.example.com", false),
            ("192.0.2.0/24", "::ffff:192.0.2.10", true),
            ("2001:db8::1", "2001:db8:0::1", true),
            ("[2001:db8::1]", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:7::1", true),
            ("2001:db8::/32", "192.0.2.1", false),
        ] {
            assert_eq!(covers(entry, host, 443), is_covered, "{entry} {host}");
        }
    }

    #[test]
    fn a_port_narrows_it_down() {
        for (entry, host) in [
            ("example.com:2197", "a.example.com"),
            ("192.0.2.1:2197", "192.0.2.1"),
            ("[2001:db8::1]:2197", "2001:db8::1"),
            ("*:2197", "anything"),
        ] {
            assert!(covers(entry, host, 2197), "{entry}");
            assert!(!covers(entry, host, 443), "{entry}");
        }
    }

    #[test]
    fn a_star_covers_everybody_and_nothing_covers_nobody() {
        assert!(covers("*", "example.com", 443) && covers("*", "::1", 1));
        let nobody = NoProxy::parse(["", "  "]).unwrap();
        assert!(!nobody.covers("example.com", 443));
        assert_eq!(nobody, NoProxy::default());
    }

    #[test]
    fn an_entry_that_says_nothing_is_named() {
        for entry in
            ["http://a", "a b", "a..b", ".", "*a", "192.0.2.0/33", "a:", "a:99999", "a:b", "ü.test"]
        {
            assert_eq!(NoProxy::parse(["a.test", entry]), Err(entry.to_owned()));
        }
    }
}
