//! `Hostname`: where a remote server is reached, checked and in one spelling.
//!
//! The rules are those of the common URL validator the official service uses
//! ([Django's `URLValidator`](https://docs.djangoproject.com/en/5.1/ref/validators/#urlvalidator)
//! on `http://{hostname}`), made stricter where its laxness would name another host than the one
//! read: no `user@`, no blank of any alphabet, no character that a browser or resolver folds into
//! a URL's own punctuation.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use thiserror::Error;

/// A host or `host:port`, in lower case: a domain name with a dot, `localhost`, an IPv4 address
/// or an IPv6 address in brackets. The dot of the root and the port 443 are never in it: with them
/// the same host would have several names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hostname(String);

/// Why a text is not a [`Hostname`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HostnameError {
    /// It is more than a host: it has a `/`, a `?` or a `#`. Checked before everything else.
    #[error("contains invalid components (e.g., path, query, fragment)")]
    InvalidComponents,
    /// It names no host.
    #[error("is not a valid hostname")]
    Invalid,
}

/// The port of HTTPS ([RFC 9110, section 4.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-4.2.2)).
pub(super) const HTTPS_PORT: u16 = 443;
/// Longest host without its port, in characters: 255 octets on the wire less the first length and
/// the root ([RFC 1034, section 3.1](https://www.rfc-editor.org/rfc/rfc1034#section-3.1)).
const LONGEST_HOST: usize = 253;
/// Longest label, in characters ([RFC 1034](https://www.rfc-editor.org/rfc/rfc1034#section-3.1)).
const LONGEST_LABEL: usize = 63;

/// Characters that compatibility normalisation (NFKC), which every resolver of international
/// names applies, turns into one of `/ ? # @ :`; a host with one would be read differently later.
const FOLDED_TO_PUNCTUATION: [char; 19] = [
    '\u{2047}', '\u{2048}', '\u{2049}', '\u{2100}', '\u{2101}', '\u{2105}', '\u{2106}', '\u{2a74}',
    '\u{fe13}', '\u{fe16}', '\u{fe55}', '\u{fe56}', '\u{fe5f}', '\u{fe6b}', '\u{ff03}', '\u{ff0f}',
    '\u{ff1a}', '\u{ff1f}', '\u{ff20}',
];
/// Characters read as the dot between labels
/// ([RFC 3490, section 3.1](https://www.rfc-editor.org/rfc/rfc3490#section-3.1)), or as a digit
/// with one.
const FOLDED_TO_DOT: [char; 4] = ['\u{3002}', '\u{ff0e}', '\u{ff61}', '\u{1f100}'];

impl Hostname {
    /// Checks `text` and spells it in the one way it is stored and compared.
    ///
    /// # Errors
    ///
    /// The first of the two reasons that applies, in the order of [`HostnameError`].
    pub fn parse(text: &str) -> Result<Self, HostnameError> {
        if text.contains(['/', '?', '#']) {
            return Err(HostnameError::InvalidComponents);
        }
        let text = text.to_lowercase();
        if is_host_and_port(&text) {
            let (host, port) = split_port(&text);
            let host = without_root(host);
            Ok(Self(match port {
                Some(port) if port.parse() != Ok(HTTPS_PORT) => format!("{host}:{port}"),
                Some(_) | None => host.to_owned(),
            }))
        } else {
            Err(HostnameError::Invalid)
        }
    }

    /// The host alone; an IPv6 address in its brackets.
    #[must_use]
    pub fn without_port(&self) -> &str {
        split_port(&self.0).0
    }

    /// The checked text, in its one spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host alone: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.0.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => self.without_port(),
        }
    }

    /// The port of HTTPS there: 443 unless another is written; `None` when no port has that number.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        split_port(&self.0).1.map_or(Some(HTTPS_PORT), |port| port.parse().ok())
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A host, or the pattern of one, and its port.
pub(super) fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rfind([':', ']']) {
        Some(end) if text[end..].starts_with(':') => (&text[..end], Some(&text[end + 1..])),
        _ => (text, None),
    }
}

/// A name ends at the root, whether its last dot says so or not
/// ([RFC 1034, section 3.1](https://www.rfc-editor.org/rfc/rfc1034#section-3.1)).
pub(super) fn without_root(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn is_host_and_port(text: &str) -> bool {
    if let Some(bracketed) = text.strip_prefix('[') {
        let Some((address, rest)) = bracketed.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok()
            && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    port.is_none_or(is_port)
        && (host == "localhost" || host.parse::<Ipv4Addr>().is_ok() || is_domain_name(host))
}

/// One to five digits. The value is not looked at, as in the official service: `99999` passes.
fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_domain_name(host: &str) -> bool {
    if host.chars().count() > LONGEST_HOST {
        return false;
    }
    let Some((labels, top)) = without_root(host).rsplit_once('.') else {
        return false;
    };
    labels.split('.').all(is_label) && is_top_label(top)
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.chars().count())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c == '-' || c.is_ascii_alphanumeric() || is_foreign_letter(c))
}

/// A top-level label has no ASCII digit, unless it is an encoded international one, and two
/// characters or more, unless it is still to be encoded.
fn is_top_label(label: &str) -> bool {
    is_label(label)
        && (label.len() > 1)
        && (!label.contains(|c: char| c.is_ascii_digit())
            || (label.is_ascii()
                && label.strip_prefix("xn--").is_some_and(|code| !code.contains('-'))))
}

/// The validator's own wide notion of a letter of other alphabets: nearly everything.
fn is_foreign_letter(c: char) -> bool {
    c > '\u{a0}'
        && !c.is_whitespace()
        && !FOLDED_TO_PUNCTUATION.contains(&c)
        && !FOLDED_TO_DOT.contains(&c)
        && !is_unseen(c)
}

/// Characters that show nothing or turn the text around: resolvers drop them, so that one host would have many
/// names, and an operator would read another one than is meant
/// ([Default_Ignorable_Code_Point and Bidi_Control](https://www.unicode.org/reports/tr44/)).
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
