//! The service account by which Google knows the publisher of an app.

use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    providers::{ProvidersError, clock_skew::DATED_BACK, credential::Contents, json_web_token},
    random::Random,
};

/// What an access token is asked for.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// "the expiration time ... has a maximum of 1 hour after the issued time":
/// <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>.
const ASSERTION_LIFE_SECONDS: i64 = 60 * 60;

/// A service account with its private key; it does not print itself.
pub(super) struct ServiceAccount {
    project_id: String,
    client_email: String,
    key_id: String,
    key: RsaKeyPair,
    token_uri: String,
}

/// What we need of the key file.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    project_id: String,
    client_email: String,
    private_key_id: String,
    private_key: String,
    token_uri: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl ServiceAccount {
    /// The account in a key file, if it is one.
    pub(super) fn parse(contents: &Contents) -> Result<Self, ProvidersError> {
        let (path, text) = (&contents.path, &contents.bytes);
        let file: KeyFile = serde_json::from_slice(text)
            .map_err(|_| ProvidersError::credential(path, why_no_account(text)))?;
        if file.kind != "service_account" {
            return Err(ProvidersError::credential(path, why_no_account(text)));
        }
        let not_rsa = || {
            ProvidersError::credential(
                path,
                "`private_key` is not an RSA key of 2048 bits or more in PEM",
            )
        };
        let der =
            PrivateKeyDer::from_pem_slice(file.private_key.as_bytes()).map_err(|_| not_rsa())?;
        let key = match &der {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(not_rsa()),
        };
        Ok(Self {
            project_id: file.project_id,
            client_email: file.client_email,
            key_id: file.private_key_id,
            key: key.map_err(|_| not_rsa())?,
            token_uri: file.token_uri,
        })
    }

    pub(super) fn project_id(&self) -> &str {
        &self.project_id
    }

    pub(super) fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// The signed wish for an access token (RFC 7523); a clock that is a little ahead makes none from the future.
    pub(super) fn assertion(&self, audience: &str, now: Timestamp, random: &Random) -> String {
        let issued_at = (now - DATED_BACK).unix_seconds();
        let unsigned = json_web_token::unsigned(
            &Header { alg: "RS256", typ: "JWT", kid: &self.key_id },
            &Claims {
                iss: &self.client_email,
                scope: SCOPE,
                aud: audience,
                iat: issued_at,
                exp: issued_at + ASSERTION_LIFE_SECONDS,
            },
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, random.system(), unsigned.as_bytes(), &mut signature)
            .expect("the buffer has the length of the modulus");
        json_web_token::signed(&unsigned, &signature)
    }
}

/// The sentence that helps whoever gave another file.
fn why_no_account(text: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(text);
    if text.contains("project_info") || text.contains("mobilesdk_app_id") {
        "is the app's client file (google-services.json). Needed: Firebase console, Project settings, \
         Service accounts, Generate new private key"
    } else {
        "is not the key file of a service account. Needed: Firebase console, Project settings, Service \
         accounts, Generate new private key"
    }
}
