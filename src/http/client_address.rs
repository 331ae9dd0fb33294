//! Who is at the other end: the caller's address, also behind a proxy.

use std::net::IpAddr;

use http::{HeaderMap, request::Parts};
use ipnet::IpNet;

use super::ApiError;
use crate::{app::App, domain::address::AddressKey, listener::Peer};

/// The caller's address, for limits.
pub(super) fn client_address(parts: &Parts, app: &App) -> Result<AddressKey, ApiError> {
    let peer = parts.extensions.get::<Peer>().ok_or(ApiError::Internal)?;
    Ok(seen_address(*peer, &parts.headers, &app.config.http.trusted_proxies))
}

/// The peer's address, or, when the peer is a proxy we trust, the last address in
/// `X-Forwarded-For` that is not such a proxy. What stands before it anybody can write.
fn seen_address(peer: Peer, headers: &HeaderMap, trusted: &[IpNet]) -> AddressKey {
    let is_trusted =
        |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let mut address = peer.0.ip();
    if !is_trusted(address) {
        return address.into();
    }
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect::<Vec<_>>();
    for text in forwarded.into_iter().rev() {
        let Ok(next) = text.parse::<IpAddr>() else { break };
        address = next;
        if !is_trusted(address) {
            break;
        }
    }
    address.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> AddressKey {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        seen_address(Peer(format!("{peer}:1").parse().unwrap()), &headers, &trusted)
    }

    fn key(address: &str) -> AddressKey {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.9"]), key("192.0.2.1"));
        assert_eq!(seen("10.0.0.1", &["198.51.100.9"]), key("198.51.100.9"));
        assert_eq!(seen("10.0.0.1", &[]), key("10.0.0.1"));
    }

    #[test]
    fn what_the_caller_wrote_itself_is_not_believed() {
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, 198.51.100.9, 10.0.0.2"]), key("198.51.100.9"));
        assert_eq!(seen("10.0.0.1", &["1.2.3.4", "198.51.100.9"]), key("198.51.100.9"));
        assert_eq!(seen("10.0.0.1", &["nonsense, 10.0.0.2"]), key("10.0.0.2"));
    }
}
