//! Where a push service is reached.

use std::fmt;

use rustls_pki_types::ServerName;

/// A host and port that speak HTTP/2 over TLS, such as `https://api.push.apple.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    host: String,
    port: u16,
}

/// Why a text is no origin.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not of the form `https://host` or `https://host:port`")]
pub struct OriginError(String);

impl Origin {
    /// The origin in `text`: `https://host` or `https://host:port`, nothing after it but one slash.
    ///
    /// # Errors
    ///
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        Self::try_parse(text).ok_or_else(|| OriginError(text.to_owned()))
    }

    fn try_parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let authority: http::uri::Authority = authority.parse().ok()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let origin = Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: match authority.port() {
                Some(port) => port.as_u16(),
                None if authority.as_str() == authority.host() => 443,
                None => return None,
            },
        };
        origin.server_name().is_some().then_some(origin)
    }

    /// The host's name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name the host's certificate must have.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.clone()).ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "https://{open}{}{close}", self.host)?;
        if self.port == 443 { Ok(()) } else { write!(formatter, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_443_unless_it_is_named() {
        assert_eq!(Origin::parse("https://api.push.apple.com").unwrap().port(), 443);
        assert_eq!(Origin::parse("https://127.0.0.1:2197/").unwrap().port(), 2197);
        assert_eq!(Origin::parse("https://[::1]:2197").unwrap().to_string(), "https://[::1]:2197");
    }

    #[test]
    fn anything_but_an_origin_is_refused() {
        for text in [
            "",
            "http://a",
            "https://",
            "https://a/b",
            "https://u@a",
            "https://a:99999",
            "https://a:",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
}
