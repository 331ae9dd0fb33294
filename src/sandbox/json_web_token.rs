//! Takes a compact JSON Web Token apart, as strictly as the push services do.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::DeserializeOwned};

/// The header of a token, as far as the push services read it.
#[derive(Deserialize)]
pub(super) struct Header {
    /// The signature's algorithm.
    pub(super) alg: String,
    /// The name of the signing key; Google's clients may leave it out.
    #[serde(default)]
    pub(super) kid: Option<String>,
}

/// A token taken apart; whether its signature is good is not known yet.
pub(super) struct JsonWebToken<'a, C> {
    pub(super) header: Header,
    pub(super) claims: C,
    /// What the signature is over: the encoded header and claims.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
}

impl<'a, C: DeserializeOwned> JsonWebToken<'a, C> {
    /// Reads three parts of base64url without padding ([RFC 7515, section
    /// 3.1](https://www.rfc-editor.org/rfc/rfc7515#section-3.1)); `None` for anything else.
    pub(super) fn parse(compact: &'a str) -> Option<Self> {
        let (signed, signature) = compact.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self {
            header: serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?,
            claims: serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Claims {
        iat: i64,
    }

    /// `{"alg":"none"}`, `{"iat":1}` and three bytes.
    const HEADER: &str = "eyJhbGciOiJub25lIn0";
    const CLAIMS: &str = "eyJpYXQiOjF9";

    #[test]
    fn a_token_has_three_parts() {
        let compact = format!("{HEADER}.{CLAIMS}.AQID");
        let token = JsonWebToken::<Claims>::parse(&compact).unwrap();
        assert_eq!(token.header.alg, "none");
        assert_eq!(token.claims.iat, 1);
        assert_eq!(token.signed, format!("{HEADER}.{CLAIMS}"));
        assert_eq!(token.signature, [1, 2, 3]);
    }

    #[test]
    fn padding_and_the_other_alphabet_are_refused() {
        for compact in [
            format!("{HEADER}=.{CLAIMS}.AQID"),
            format!("{HEADER}.{CLAIMS}.AQ=="),
            format!("{HEADER}.{CLAIMS}.+/+/"),
            format!("{HEADER}.{CLAIMS}"),
            format!("{HEADER}.{CLAIMS}.AQID.AQID"),
        ] {
            assert!(JsonWebToken::<Claims>::parse(&compact).is_none(), "{compact}");
        }
    }
}
