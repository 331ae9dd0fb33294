//! The URL of a proxy.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, uri::Authority};
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Where a proxy is, and what it knows us by.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    host: String,
    port: u16,
    authorization: Option<HeaderValue>,
}

/// Why a text is not the URL of a proxy; never shows the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProxyUrlError {
    /// It is `https://…`.
    #[error(
        "begins with `https://`, which is not supported: write `http://host:port` (what runs through the proxy is encrypted all the same)"
    )]
    Https,
    /// It is `socks5://…` or another kind of URL.
    #[error("does not begin with `http://`: only HTTP proxies are supported (CONNECT)")]
    Scheme,
    /// There is no port.
    #[error("names no port: write `http://host:port`")]
    Port,
    /// It is not what it should be in another way.
    #[error(
        "is not of the form `http://host:port` or `http://user:password@host:port` (with `%40` for `@` in a password, and so on)"
    )]
    Form,
}

impl ProxyUrl {
    /// The proxy at a URL; `None` when the URL is empty.
    ///
    /// # Errors
    ///
    /// When it is anything but `http://`, a host and a port, with or without `user:password@`.
    pub fn parse(text: &str) -> Result<Option<Self>, ProxyUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let (scheme, rest) = text.split_once("://").ok_or(ProxyUrlError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(ProxyUrlError::Https),
            _ => return Err(ProxyUrlError::Scheme),
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, rest),
        };
        let authority: Authority = authority.parse().map_err(|_| ProxyUrlError::Form)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(ProxyUrlError::Form);
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == authority.host() => return Err(ProxyUrlError::Port),
            None => return Err(ProxyUrlError::Form),
        };
        let authorization = user.map(basic).transpose()?;
        Ok(Some(Self { host, port, authorization }))
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

    /// What goes into `Proxy-Authorization`, if anything does; it does not print itself.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

/// User and password in the form of [RFC 7617](https://www.rfc-editor.org/rfc/rfc7617#section-2).
fn basic(user_info: &str) -> Result<HeaderValue, ProxyUrlError> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let user: Vec<u8> = percent_decode_str(user).collect();
    let password: Vec<u8> = percent_decode_str(password).collect();
    // "a user-id containing a colon character is invalid", and so are control characters in both.
    if user.is_empty()
        || user.contains(&b':')
        || user.iter().chain(&password).any(u8::is_ascii_control)
    {
        return Err(ProxyUrlError::Form);
    }
    let credentials = STANDARD.encode([&user[..], b":", &password].concat());
    let mut value =
        HeaderValue::try_from(format!("Basic {credentials}")).map_err(|_| ProxyUrlError::Form)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where it is, without the password.
impl fmt::Display for ProxyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "http://{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProxyUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ProxyUrl {
        ProxyUrl::parse(text).unwrap().unwrap()
    }

    #[test]
    fn a_proxy_is_a_host_a_port_and_perhaps_a_password() {
        for (text, host, port) in [
            ("http://proxy.example.com:3128", "proxy.example.com", 3128),
            ("http://192.0.2.7:80/", "192.0.2.7", 80),
            ("HTTP://[2001:db8::7]:3128\n", "2001:db8::7", 3128),
        ] {
            let proxy = parsed(text);
            assert_eq!((proxy.host(), proxy.port()), (host, port));
            assert_eq!(proxy.authorization(), None);
            assert_eq!(parsed(&proxy.to_string()), proxy);
        }
    }

    #[test]
    fn user_and_password_are_decoded_before_they_are_encoded() {
        // The example of RFC 7617, section 2, and what needs `%`.
        for (text, credentials) in [
            ("http://Aladdin:open%20sesame@p:1", "Aladdin:open sesame"),
            ("http://u:p%40%3a%2F%25@p:1", "u:p@:/%"),
            ("http://u:a:b@p:1", "u:a:b"),
            ("http://u:p@ss/word@p:1", "u:p@ss/word"),
            ("http://u@p:1", "u:"),
            ("http://u:%C3%BC@p:1", "u:\u{fc}"),
        ] {
            let expected = format!("Basic {}", STANDARD.encode(credentials));
            assert_eq!(parsed(text).authorization().unwrap(), expected.as_str(), "{text}");
        }
    }

    #[test]
    fn what_it_knows_us_by_is_not_printed() {
        let proxy = parsed("http://somebody:secret@p:1");
        let printed = format!("{proxy:?} {proxy} {:?}", proxy.authorization());
        assert_eq!(printed, "ProxyUrl(http://p:1) http://p:1 Some(Sensitive)");
    }

    #[test]
    fn an_empty_url_is_no_proxy() {
        assert_eq!(ProxyUrl::parse(" \n"), Ok(None));
    }

    #[test]
    fn everything_else_is_told_apart() {
        use ProxyUrlError::{Form, Https, Port, Scheme};
        for (text, error) in [
            ("https://p:1", Https),
            ("socks5://p:1", Scheme),
            ("p:1", Scheme),
            ("http://p", Port),
            ("http://[::1]", Port),
            ("http://p:", Form),
            ("http://:1", Form),
            ("http://p:99999", Form),
            ("http://p:1/path", Form),
            ("http://p:1?q", Form),
            ("http://@p:1", Form),
            ("http://a%3ab:c@p:1", Form),
            ("http://a:b%0d%0a@p:1", Form),
        ] {
            assert_eq!(ProxyUrl::parse(text), Err(error), "{text}");
        }
    }
}
