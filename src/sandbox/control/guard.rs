//! Who may use the control port: programs on this machine, and no pages in its browser.

use std::net::IpAddr;

use http::{HeaderMap, header, uri::Authority};

/// Why a request is refused before it is looked at; none when it is not.
pub(super) fn refusal(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(header::ORIGIN) {
        return Some("A page in a browser sent this, and pages may not use the control port.");
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| Authority::try_from(host.as_bytes()).ok());
    match host {
        Some(host) if hosts.next().is_none() && is_loopback(host.host()) => None,
        _ => Some("The header `Host` must be `localhost` or an address of loopback."),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        refusal(&map).is_some()
    }

    #[test]
    fn only_the_names_of_loopback_are_answered() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.1.2.3", "[::1]:9"] {
            assert!(!refused(&[("host", host)]), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "[::2]", "", "a b"] {
            assert!(refused(&[("host", host)]), "{host}");
        }
        assert!(refused(&[]));
        assert!(refused(&[("host", "localhost"), ("host", "evil.example")]));
        assert!(refused(&[("host", "localhost"), ("origin", "null")]));
    }
}
