//! Patterns of host names, by which an operator allows or denies servers.

use super::hostname::{HTTPS_PORT, Hostname, split_port, without_root};

/// A host name in which `*` stands for any characters: `*.example.com`, `chat-*.example.org`.
///
/// A pattern without a port is about the host whatever its port; `example.com` is not about
/// `chat.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(String);

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host name, in which `*` may stand for any characters")]
pub struct HostPatternError(String);

/// What stands for the star while the rest is checked; it may be a part of any label.
const STAND_IN: &str = "x";

impl HostPattern {
    /// The pattern in `text`.
    ///
    /// # Errors
    ///
    /// When no host name could ever match it.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let text = text.to_lowercase();
        let is_host = |text: &str| Hostname::parse(text).is_ok();
        if text == "*"
            || is_host(&text.replace('*', STAND_IN))
            || is_host(&text.replace('*', "a.b"))
        {
            let (host, port) = split_port(&text);
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            return Ok(Self(without_root(host).to_owned() + &port));
        }
        Err(HostPatternError(text))
    }

    /// Whether it is about this host.
    #[must_use]
    pub fn matches(&self, hostname: &Hostname) -> bool {
        let is_match = |text: &str| matches(self.0.as_bytes(), text.as_bytes());
        let (host, is_bare) = (hostname.without_port(), split_port(hostname.as_str()).1.is_none());
        is_match(hostname.as_str())
            || is_match(host)
            || is_bare && is_match(&format!("{host}:{HTTPS_PORT}"))
    }
}

/// Remembers the last star and tries again from there: time grows with the product of the lengths, which
/// are short.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut star = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(byte) if *byte == text[position] => {
                at += 1;
                position += 1;
            }
            _ => match &mut star {
                Some((star_at, matched)) => {
                    *matched += 1;
                    (at, position) = (*star_at + 1, *matched);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl<'de> serde::Deserialize<'de> for HostPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, host, is_match) in [
            ("*.example.com", "chat.example.com", true),
            ("*.example.com", "a.b.example.com:8443", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "chat.example.com.evil.org", false),
            ("Example.com", "example.com", true),
            ("example.com", "chat.example.com", false),
            ("example.com:8443", "example.com:8443", true),
            ("example.com:8443", "example.com", false),
            ("chat-*.example.org", "chat-7.example.org", true),
            ("*a*b*.test", "aab-b.test", true),
            ("*", "localhost", true),
            ("[::1]", "[::1]:9", true),
            ("example.com", "example.com.", true),
            ("example.com", "example.com.:8443", true),
            ("*.example.com.", "chat.example.com", true),
            ("example.com:443", "example.com", true),
            ("example.com:443", "example.com:443", true),
            ("example.com:443", "example.com:8443", false),
            ("example.com.:8443", "example.com:8443", true),
        ] {
            let (pattern, host) =
                (HostPattern::parse(pattern).unwrap(), Hostname::parse(host).unwrap());
            assert_eq!(pattern.matches(&host), is_match, "{pattern:?} {host}");
        }
    }

    #[test]
    fn what_no_host_can_match_is_no_pattern() {
        for text in ["", "a b.example.com", "https://example.com", "example", "*.example.com/x"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
