//! The signing key that Apple lets a team download once.

use rcgen::KeyPair;

use crate::sandbox::authority::AuthorityError;

/// An APNs authentication key of a team: what stands in a `.p8` file, and its names.
pub struct AppleKey {
    team_id: String,
    key_id: String,
    pair: KeyPair,
}

impl AppleKey {
    /// A fresh ECDSA P-256 key with these names; Apple's have ten characters each.
    ///
    /// # Errors
    ///
    /// When the system gives no randomness for the key.
    pub fn generate(
        team_id: impl Into<String>,
        key_id: impl Into<String>,
    ) -> Result<Self, AuthorityError> {
        let pair = KeyPair::generate()?;
        Ok(Self { team_id: team_id.into(), key_id: key_id.into(), pair })
    }

    /// A key that was made before, PKCS#8 in PEM, with its names.
    ///
    /// # Errors
    ///
    /// When the text is no such key.
    pub fn with_key(
        team_id: impl Into<String>,
        key_id: impl Into<String>,
        private_key_pem: &str,
    ) -> Result<Self, AuthorityError> {
        let pair = KeyPair::from_pem(private_key_pem)?;
        Ok(Self { team_id: team_id.into(), key_id: key_id.into(), pair })
    }

    /// The text of the `.p8` file: the private key as PKCS#8 in PEM.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// The team the key belongs to: `iss` of its tokens.
    #[must_use]
    pub fn team_id(&self) -> &str {
        &self.team_id
    }

    /// The name of the key: `kid` of its tokens.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) fn public_key(&self) -> &[u8] {
        self.pair.public_key_raw()
    }

    #[cfg(test)]
    pub(super) fn private_key_der(&self) -> &[u8] {
        self.pair.serialized_der()
    }
}
