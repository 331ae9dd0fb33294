//! `EmailAddress`: the address of a remote server's administrator, checked for its form only.
//!
//! The form is that of
//! [Django's `validate_email`](https://docs.djangoproject.com/en/5.1/ref/validators/#emailvalidator),
//! which the official service uses, without the control characters it allows between quotes:
//! addresses are shown on terminals.

use std::{fmt, net::IpAddr};

use thiserror::Error;

/// A well-formed e-mail address, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    text: String,
    domain: EmailDomain,
}

/// What stands behind the `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EmailDomain {
    /// A domain name in lower case with plain dots; international labels are not encoded.
    Name(String),
    /// An address in brackets, as in `admin@[192.0.2.7]`: there is nothing to look up.
    Literal(IpAddr),
}

/// Why a text is not an [`EmailAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EmailError {
    /// It has not the form of an address.
    #[error("is not a valid email address")]
    Invalid,
    /// It is longer than [`LONGEST_ADDRESS`].
    #[error("is longer than {LONGEST_ADDRESS} characters")]
    TooLong,
}

/// Longest address, in characters: a path of 256 octets less its angle brackets
/// ([RFC 5321, section 4.5.3.1.3](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3)).
pub const LONGEST_ADDRESS: usize = 254;
/// Longest label, in octets ([RFC 1034](https://www.rfc-editor.org/rfc/rfc1034#section-3.1)).
const LONGEST_LABEL: usize = 63;
/// Characters read as the dot between labels
/// ([RFC 3490, section 3.1](https://www.rfc-editor.org/rfc/rfc3490#section-3.1)).
const FOREIGN_DOTS: [char; 3] = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];

impl EmailAddress {
    /// Checks the form of `text`.
    ///
    /// # Errors
    ///
    /// One of [`EmailError`].
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let (user, domain) = text.rsplit_once('@').ok_or(EmailError::Invalid)?;
        if !is_dot_atom(user) && !is_quoted(user) {
            return Err(EmailError::Invalid);
        }
        let domain = EmailDomain::parse(domain).ok_or(EmailError::Invalid)?;
        if text.chars().count() > LONGEST_ADDRESS {
            return Err(EmailError::TooLong);
        }
        Ok(Self { text: text.to_owned(), domain })
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &EmailDomain {
        &self.domain
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl EmailDomain {
    fn parse(text: &str) -> Option<Self> {
        if let Some(literal) = text.strip_prefix('[') {
            return literal.strip_suffix(']')?.parse().ok().map(Self::Literal);
        }
        let name = text.to_lowercase().replace(FOREIGN_DOTS, ".");
        (name == "localhost" || is_domain_name(&name)).then_some(Self::Name(name))
    }
}

/// Words of letters, digits and twenty signs, with single dots between them.
fn is_dot_atom(user: &str) -> bool {
    user.split('.').all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-!#$%&'*+/=?^_`{}|~".contains(&byte))
    })
}

/// Printable ASCII between quotes; a blank, a quote and a backslash stand behind a backslash.
fn is_quoted(user: &str) -> bool {
    let inside = user.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inside) = inside else { return false };
    let mut bytes = inside.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'\\' => bytes.next().is_some_and(|escaped| matches!(escaped, b' '..=b'~')),
            b'"' => false,
            _ => byte.is_ascii_graphic(),
        };
        if !allowed {
            return false;
        }
    }
    true
}

fn is_domain_name(name: &str) -> bool {
    let Some((labels, top)) = name.rsplit_once('.') else { return false };
    labels.split('.').all(|label| is_label(label) && !label.starts_with('-'))
        && is_label(top)
        && top.len() > 1
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && !label.ends_with('-')
        && label.chars().all(|c| c == '-' || c.is_ascii_alphanumeric() || is_foreign_letter(c))
}

/// Letters and marks of other alphabets. Whether the name can exist is for the look-up to find.
fn is_foreign_letter(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests;
