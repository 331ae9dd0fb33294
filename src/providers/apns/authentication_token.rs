//! The signed token by which Apple knows the publisher of an app.
//!
//! "Refresh your token no more than once every 20 minutes and no less than once every 60 minutes":
//! <https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns>.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::Serialize;

use crate::{
    clock::{Clock, Timestamp},
    providers::{ProvidersError, json_web_token, read},
    random::Random,
};

/// A token's `iat` is rounded down to this, so that all nodes say the same.
const ISSUED_AT_STEP: Duration = Duration::from_secs(30 * 60);

/// Apple's "no more than once every 20 minutes", and a little for clocks that differ.
const SHORTEST_LIFE: Duration = Duration::from_secs(21 * 60);

/// Makes and keeps the authentication token of one key.
pub(super) struct AuthenticationTokens {
    key: EcdsaKeyPair,
    key_id: String,
    team_id: String,
    clock: Clock,
    random: Random,
    current: ArcSwapOption<Token>,
    /// Held while a token is made, so that only one is.
    making: Mutex<()>,
}

struct Token {
    header: HeaderValue,
    issued_at: Timestamp,
    made_at: Timestamp,
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

impl AuthenticationTokens {
    /// Reads the key (`AuthKey_….p8`).
    pub(super) fn read(
        path: &Path,
        key_id: &str,
        team_id: &str,
        clock: &Clock,
        random: &Random,
    ) -> Result<Self, ProvidersError> {
        let text = read(path)?;
        let Ok(der) = PrivatePkcs8KeyDer::from_pem_slice(&text) else {
            return Err(ProvidersError::credential(path, why_no_key(&text)));
        };
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_pkcs8_der(),
            random.system(),
        )
        .map_err(|_| {
            ProvidersError::credential(path, "is a private key, but none of the curve P-256")
        })?;
        Ok(Self {
            key,
            key_id: key_id.to_owned(),
            team_id: team_id.to_owned(),
            clock: clock.clone(),
            random: random.clone(),
            current: ArcSwapOption::empty(),
            making: Mutex::default(),
        })
    }

    /// The value of `authorization` now.
    pub(super) fn current(&self) -> HeaderValue {
        let now = self.clock.now();
        match &*self.current.load() {
            Some(token) if !token.is_due(now) => token.header.clone(),
            _ => self.make(now, |token| token.is_due(now)),
        }
    }

    /// A newer value than `refused`, which Apple called expired; `None` while Apple takes no newer one.
    pub(super) fn renew(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        let now = self.clock.now();
        let header = self.make(now, |token| {
            token.header == *refused && now.since(token.made_at) >= SHORTEST_LIFE
        });
        (header != *refused).then_some(header)
    }

    /// Makes a new token if the current one `is_to_be_replaced`, and gives the one that is current then.
    fn make(&self, now: Timestamp, is_to_be_replaced: impl Fn(&Token) -> bool) -> HeaderValue {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*self.current.load()
            && !is_to_be_replaced(token)
        {
            return token.header.clone();
        }
        let issued_at = issued_at(now);
        let header = self.sign(issued_at);
        self.current.store(Some(Arc::new(Token {
            header: header.clone(),
            issued_at,
            made_at: now,
        })));
        header
    }

    fn sign(&self, issued_at: Timestamp) -> HeaderValue {
        let unsigned = json_web_token::unsigned(
            &Header { alg: "ES256", kid: &self.key_id },
            &Claims { iss: &self.team_id, iat: issued_at.unix_seconds() },
        );
        let signature = self
            .key
            .sign(self.random.system(), unsigned.as_bytes())
            .expect("signing fails only where the system gives no randomness");
        let token = json_web_token::signed(&unsigned, signature.as_ref());
        let mut header =
            HeaderValue::try_from(format!("bearer {token}")).expect("base64url and dots are ASCII");
        header.set_sensitive(true);
        header
    }
}

impl Token {
    /// Whether a newer one is to be made. The oldest a token gets is one step and the shortest life:
    /// 51 minutes.
    fn is_due(&self, now: Timestamp) -> bool {
        issued_at(now) != self.issued_at && now.since(self.made_at) >= SHORTEST_LIFE
    }
}

fn issued_at(now: Timestamp) -> Timestamp {
    let step = i64::try_from(ISSUED_AT_STEP.as_secs()).expect("half an hour is few seconds");
    Timestamp::from_unix_seconds(now.unix_seconds().div_euclid(step) * step)
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
