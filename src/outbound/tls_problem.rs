//! What went wrong with TLS, in words of ours and of rustls': the peer's own stay out of the log.

use std::{fmt, io};

/// Why TLS failed; nothing in its text comes from the peer, whose certificate may name anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsProblem(String);

impl TlsProblem {
    pub(super) fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Self(match inner {
            Some(rustls::Error::InvalidCertificate(problem)) => {
                format!("the certificate of the host is refused: {}", variant(problem))
            }
            Some(rustls::Error::AlertReceived(alert)) => {
                format!("the host sent the alert {}", variant(alert))
            }
            Some(other) => variant(other),
            None => error.kind().to_string(),
        })
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of an enum's variant, without what is in it.
fn variant(value: &dyn fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError, Error};
    use rustls_pki_types::ServerName;

    use super::*;

    #[test]
    fn it_says_what_is_wrong_and_nothing_of_the_peer() {
        let wrong_name = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("push.example").unwrap(),
            presented: vec!["DnsName(\"evil\\n\")".repeat(1000)],
        };
        for (error, text) in [
            (
                Error::InvalidCertificate(wrong_name),
                "the certificate of the host is refused: NotValidForNameContext",
            ),
            (
                Error::InvalidCertificate(CertificateError::UnknownIssuer),
                "the certificate of the host is refused: UnknownIssuer",
            ),
            (
                Error::AlertReceived(AlertDescription::CertificateRevoked),
                "the host sent the alert CertificateRevoked",
            ),
            (Error::General("evil".to_owned()), "General"),
        ] {
            assert_eq!(TlsProblem::of(&io::Error::other(error)).to_string(), text);
        }
        let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(TlsProblem::of(&cut).to_string(), "unexpected end of file");
    }
}
