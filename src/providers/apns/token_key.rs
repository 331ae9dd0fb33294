//! The key (`AuthKey_….p8`) that signs authentication tokens.

use std::path::PathBuf;

use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::Serialize;

use crate::{
    clock::Timestamp,
    config::ApnsAppConfig,
    providers::{
        ProvidersError,
        credential::{Contents, Fingerprint},
        json_web_token,
    },
    random::Random,
};

/// Where an app's credential comes from, by the configuration.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A token key.
    Key { file: PathBuf, key_id: String, team_id: String },
    /// A client certificate.
    Certificate { file: PathBuf },
}

impl Source {
    /// The one of this app; none only in a configuration that was not checked.
    pub(super) fn of(config: &ApnsAppConfig) -> Option<Self> {
        match (&config.key_file, &config.key_id, &config.team_id, &config.cert_file) {
            (Some(file), Some(key_id), Some(team_id), _) => {
                let (key_id, team_id) = (key_id.clone(), team_id.clone());
                Some(Self::Key { file: file.clone(), key_id, team_id })
            }
            (_, _, _, Some(file)) => Some(Self::Certificate { file: file.clone() }),
            _ => None,
        }
    }

    pub(super) fn file(&self) -> &PathBuf {
        match self {
            Self::Key { file, .. } | Self::Certificate { file } => file,
        }
    }
}

/// A key with its names; it does not print itself.
pub(super) struct TokenKey {
    pair: EcdsaKeyPair,
    key_id: String,
    team_id: String,
    fingerprint: Fingerprint,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
}

impl TokenKey {
    /// The key in a file, if it is one of Apple's.
    pub(super) fn parse(
        contents: &Contents,
        key_id: &str,
        team_id: &str,
        random: &Random,
    ) -> Result<Self, ProvidersError> {
        let wrong = |problem| ProvidersError::credential(&contents.path, problem);
        let der = PrivatePkcs8KeyDer::from_pem_slice(&contents.bytes)
            .map_err(|_| wrong(why_no_key(&contents.bytes)))?;
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_pkcs8_der(),
            random.system(),
        )
        .map_err(|_| wrong("is a private key, but none of the curve P-256"))?;
        Ok(Self {
            pair,
            key_id: key_id.to_owned(),
            team_id: team_id.to_owned(),
            fingerprint: contents.fingerprint,
        })
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) fn team_id(&self) -> &str {
        &self.team_id
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.team_id == other.team_id && self.key_id == other.key_id)
            && self.fingerprint == other.fingerprint
    }

    /// A token of this moment.
    pub(super) fn sign(&self, issued_at: Timestamp, random: &Random) -> String {
        let unsigned = json_web_token::unsigned(
            &Header { alg: "ES256", kid: &self.key_id },
            &Claims { iss: &self.team_id, iat: issued_at.unix_seconds() },
        );
        let signature = self
            .pair
            .sign(random.system(), unsigned.as_bytes())
            .expect("signing fails only where the system gives no randomness");
        json_web_token::signed(&unsigned, signature.as_ref())
    }
}

/// The sentence that helps whoever gave another file.
fn why_no_key(text: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(text);
    if text.contains("BEGIN CERTIFICATE") {
        "is a certificate; set `cert_file` instead, or create a token key (.p8) under Certificates, \
         Identifiers & Profiles, Keys"
    } else if text.contains("ENCRYPTED PRIVATE KEY") {
        "is a private key with a password; Apple's .p8 files have none"
    } else if text.contains("PUBLIC KEY") {
        "is a public key; the private one is needed"
    } else {
        "is not a .p8 file of Apple: it has no `BEGIN PRIVATE KEY`"
    }
}
