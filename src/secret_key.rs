//! The secret of the operator's own, from which every key that the bouncer signs or seals with is made.

use std::{fs, io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

/// The length of the secret, and of every key made from it, in bytes.
pub const SECRET_BYTES: usize = 32;

/// What a key is for; keys of different purposes have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signs the secrets by which a registration is transferred.
    Transfer,
    /// Seals the private keys of push registrations in the database.
    RegistrationKeys,
    /// Signs the links to pages.
    Links,
    /// Names notifications, to find out those that come again.
    Duplicates,
}

/// The secret. It does not print itself.
pub struct SecretKey {
    root: hkdf::Prk,
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file cannot be read.
    #[error("cannot read `secret_key_file`, `{path}`")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It does not hold 32 bytes in base64.
    #[error(
        "`secret_key_file`, `{0}`, does not hold 32 bytes in base64; make one with `openssl rand -base64 32`"
    )]
    Malformed(String),
}

impl SecretKey {
    /// The secret in a file: 32 random bytes as base64, as `openssl rand -base64 32` prints them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, SecretKeyError> {
        let named = || path.display().to_string();
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| SecretKeyError::Read { path: named(), source })?;
        Self::parse(&text).ok_or_else(|| SecretKeyError::Malformed(named()))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        (bytes.len() == SECRET_BYTES).then(|| Self {
            root: hkdf::Salt::new(hkdf::HKDF_SHA256, b"push-bouncer").extract(&bytes),
        })
    }

    /// The key that signs for one purpose.
    #[must_use]
    pub fn signing(&self, purpose: Purpose) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.bytes(purpose))
    }

    /// The key for one purpose, as bytes.
    #[must_use]
    pub fn bytes(&self, purpose: Purpose) -> Zeroizing<[u8; SECRET_BYTES]> {
        let info = [purpose.name()];
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        self.root
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(&mut *bytes))
            .expect("HKDF gives as many bytes as its hash has");
        bytes
    }
}

impl Purpose {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Transfer => b"transfer",
            Self::RegistrationKeys => b"registration keys",
            Self::Links => b"links",
            Self::Duplicates => b"duplicates",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_32_bytes_of_base64() {
        let text = STANDARD.encode([7; SECRET_BYTES]);
        assert!(SecretKey::parse(&format!("{text}\n")).is_some());
        for text in ["", "c2hvcnQ=", &text[1..], &STANDARD.encode([7; SECRET_BYTES + 1])] {
            assert!(SecretKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn each_purpose_has_its_own_key_and_always_the_same() {
        let text = STANDARD.encode([7; SECRET_BYTES]);
        let (one, other) = (SecretKey::parse(&text).unwrap(), SecretKey::parse(&text).unwrap());
        assert_eq!(one.bytes(Purpose::Transfer), other.bytes(Purpose::Transfer));
        assert_ne!(one.bytes(Purpose::Transfer), one.bytes(Purpose::Links));
        assert_ne!(one.bytes(Purpose::Links), one.bytes(Purpose::RegistrationKeys));
    }
}
