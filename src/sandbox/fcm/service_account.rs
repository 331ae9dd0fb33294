//! A service account of a Google project: what its key file says.

use rsa::{
    RsaPrivateKey,
    pkcs1::{self, EncodeRsaPublicKey as _},
    pkcs8::{self, DecodePrivateKey as _, EncodePrivateKey as _, LineEnding},
    rand_core::OsRng,
};
use serde_json::json;

use crate::random::Random;

/// Google's keys have this length.
const KEY_BITS: usize = 2048;

/// An account that may send messages for one project; its private key is in
/// [`ServiceAccount::json`] only.
#[derive(Clone)]
pub struct ServiceAccount {
    project_id: String,
    private_key_id: String,
    private_key_pem: String,
    client_email: String,
    client_id: String,
    public_key: Vec<u8>,
}

/// A service account that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceAccountError {
    /// No key could be found.
    #[error("cannot make an RSA key")]
    Key(#[from] rsa::Error),
    /// The text is no key file.
    #[error("not the key file of a service account")]
    File(#[from] serde_json::Error),
    /// The private key has no encoding, or is none.
    #[error("cannot encode an RSA private key")]
    PrivateKey(#[from] pkcs8::Error),
    /// The public key has no encoding.
    #[error("cannot encode an RSA public key")]
    PublicKey(#[from] pkcs1::Error),
}

impl ServiceAccount {
    /// An account of this project with a fresh RSA key of 2048 bits; the search for its primes
    /// takes part of a second.
    ///
    /// # Errors
    ///
    /// When no key can be made, which does not happen.
    pub fn generate(project_id: impl Into<String>) -> Result<Self, ServiceAccountError> {
        Self::with(project_id.into(), &RsaPrivateKey::new(&mut OsRng, KEY_BITS)?)
    }

    /// An account of this project with an RSA key that was made before, PKCS#8 in PEM.
    ///
    /// # Errors
    ///
    /// When the text is no such key.
    pub fn with_key(
        project_id: impl Into<String>,
        private_key_pem: &str,
    ) -> Result<Self, ServiceAccountError> {
        Self::with(project_id.into(), &RsaPrivateKey::from_pkcs8_pem(private_key_pem)?)
    }

    /// The account of a key file that [`ServiceAccount::json`] wrote before.
    ///
    /// # Errors
    ///
    /// When the text is no such file.
    pub fn from_json(text: &str) -> Result<Self, ServiceAccountError> {
        #[derive(serde::Deserialize)]
        struct File {
            project_id: String,
            private_key_id: String,
            private_key: String,
            client_id: String,
        }
        let File { project_id, private_key_id, private_key, client_id } =
            serde_json::from_str(text)?;
        let account = Self::with_key(project_id, &private_key)?;
        Ok(Self { private_key_id, client_id, ..account })
    }

    fn with(project_id: String, key: &RsaPrivateKey) -> Result<Self, ServiceAccountError> {
        let random = Random::default();
        Ok(Self {
            private_key_id: random.bytes::<20>().iter().map(|b| format!("{b:02x}")).collect(),
            private_key_pem: key.to_pkcs8_pem(LineEnding::LF)?.to_string(),
            client_email: format!("push-bouncer@{project_id}.iam.gserviceaccount.com"),
            client_id: format!("1{:020}", u64::from_be_bytes(random.bytes())),
            public_key: key.to_public_key().to_pkcs1_der()?.into_vec(),
            project_id,
        })
    }

    /// The text of the key file, which sends its reader to this token endpoint.
    #[must_use]
    pub fn json(&self, token_uri: &str) -> String {
        let file = json!({
            "type": "service_account",
            "project_id": self.project_id,
            "private_key_id": self.private_key_id,
            "private_key": self.private_key_pem,
            "client_email": self.client_email,
            "client_id": self.client_id,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "universe_domain": "googleapis.com",
        });
        format!("{file:#}\n")
    }

    /// Its private key, PKCS#8 in PEM.
    #[must_use]
    pub fn private_key_pem(&self) -> &str {
        &self.private_key_pem
    }

    /// The project it may send for.
    #[must_use]
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// Its name: `iss` of its assertions.
    #[must_use]
    pub fn client_email(&self) -> &str {
        &self.client_email
    }

    /// The name of its key: `kid` of its assertions.
    #[must_use]
    pub fn private_key_id(&self) -> &str {
        &self.private_key_id
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}
