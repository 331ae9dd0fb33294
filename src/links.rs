//! Links to pages that a chat server's administrator opens in a browser: signed, short-lived, good once.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moka::sync::Cache;
use ring::hmac;
use uuid::Uuid;

use crate::{
    clock::{Clock, Timestamp},
    random::Random,
    secret_key::{Purpose, SecretKey},
};

/// A link may be opened for so long (protocol, section 10.1).
const LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// So many opened links are remembered; beyond it the oldest could be opened once more.
const MAX_OPENED: u64 = 100_000;

/// The path before a link's token.
pub const LOGIN_PATH: &str = "/remote-billing-login/";

/// How tokens are written; another form gets another number.
const FORM: u8 = 1;

/// The bytes of a token: form, server, realm, moment, random bytes, signature.
const SIGNED_BYTES: usize = 1 + 16 + 16 + 8 + NONCE_BYTES;
const NONCE_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 32;

/// Makes links, and knows them again.
pub struct Links {
    key: hmac::Key,
    base: String,
    clock: Clock,
    random: Random,
    opened: Cache<[u8; NONCE_BYTES], Arc<()>>,
}

/// Who was given a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The server's `zulip_org_id`.
    pub server: Uuid,
    /// The realm's UUID.
    pub realm: Uuid,
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// We did not make it.
    #[error("not a link of ours")]
    Invalid,
    /// It is older than two hours.
    #[error("too old")]
    Expired,
    /// It was opened before.
    #[error("opened before")]
    Opened,
}

impl Links {
    /// Links under this address, such as `https://push.example.com`.
    #[must_use]
    pub fn new(public_url: &str, secret_key: &SecretKey, clock: Clock, random: Random) -> Self {
        Self {
            key: secret_key.signing(Purpose::Links),
            base: format!("{}{LOGIN_PATH}", public_url.trim_end_matches('/')),
            clock,
            random,
            opened: Cache::builder().max_capacity(MAX_OPENED).time_to_live(LIFE).build(),
        }
    }

    /// A new link for a visitor. It says nothing about a person.
    #[must_use]
    pub fn make(&self, visitor: Visitor) -> String {
        let mut token = Vec::with_capacity(SIGNED_BYTES + SIGNATURE_BYTES);
        token.push(FORM);
        token.extend_from_slice(visitor.server.as_bytes());
        token.extend_from_slice(visitor.realm.as_bytes());
        token.extend_from_slice(&self.clock.now().unix_millis().to_be_bytes());
        token.extend_from_slice(&self.random.bytes::<NONCE_BYTES>());
        let signature = hmac::sign(&self.key, &token);
        token.extend_from_slice(signature.as_ref());
        format!("{}{}", self.base, URL_SAFE_NO_PAD.encode(token))
    }

    /// Who was given the link with this token; it opens nothing a second time.
    ///
    /// # Errors
    ///
    /// When it opens nothing.
    pub fn open(&self, token: &str) -> Result<Visitor, LinkError> {
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Invalid)?;
        let (signed, signature) = token.split_at_checked(SIGNED_BYTES).ok_or(LinkError::Invalid)?;
        hmac::verify(&self.key, signed, signature).map_err(|_| LinkError::Invalid)?;
        let signed: &[u8; SIGNED_BYTES] = signed.try_into().map_err(|_| LinkError::Invalid)?;
        let (&form, rest) = signed.split_first().ok_or(LinkError::Invalid)?;
        let (server, rest) = rest.split_first_chunk().ok_or(LinkError::Invalid)?;
        let (realm, rest) = rest.split_first_chunk().ok_or(LinkError::Invalid)?;
        let (made_at, nonce) = rest.split_first_chunk().ok_or(LinkError::Invalid)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| LinkError::Invalid)?;
        if form != FORM {
            return Err(LinkError::Invalid);
        }
        let made_at = Timestamp::from_unix_millis(i64::from_be_bytes(*made_at));
        if self.clock.now().since(made_at) > LIFE {
            return Err(LinkError::Expired);
        }
        if !self.opened.entry(nonce).or_default().is_fresh() {
            return Err(LinkError::Opened);
        }
        Ok(Visitor { server: Uuid::from_bytes(*server), realm: Uuid::from_bytes(*realm) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VISITOR: Visitor = Visitor { server: Uuid::from_u128(7), realm: Uuid::from_u128(9) };

    fn links(clock: &Clock) -> Links {
        let secret = SecretKey::parse("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap();
        Links::new("https://push.example.com/", &secret, clock.clone(), Random::default())
    }

    fn token(link: &str) -> &str {
        link.strip_prefix("https://push.example.com/remote-billing-login/").unwrap()
    }

    #[test]
    fn a_link_opens_once() {
        let links = links(&Clock::default());
        let (one, other) = (links.make(VISITOR), links.make(VISITOR));
        assert_eq!(links.open(token(&one)), Ok(VISITOR));
        assert_eq!(links.open(token(&one)), Err(LinkError::Opened));
        assert_eq!(links.open(token(&other)), Ok(VISITOR));
    }

    #[test]
    fn a_link_opens_for_two_hours() {
        let clock = Clock::default();
        let links = links(&clock);
        let link = links.make(VISITOR);
        clock.advance(LIFE + Duration::from_secs(1));
        assert_eq!(links.open(token(&link)), Err(LinkError::Expired));
    }

    #[test]
    fn a_link_with_any_bit_changed_or_missing_opens_nothing() {
        let links = links(&Clock::default());
        let bytes = URL_SAFE_NO_PAD.decode(token(&links.make(VISITOR))).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let opened = links.open(&URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(opened, Err(LinkError::Invalid), "{bit}");
        }
        for length in 0..bytes.len() {
            let opened = links.open(&URL_SAFE_NO_PAD.encode(&bytes[..length]));
            assert_eq!(opened, Err(LinkError::Invalid), "{length}");
        }
        for text in ["", "=", "ä", "AAAA"] {
            assert_eq!(links.open(text), Err(LinkError::Invalid), "{text}");
        }
    }
}
