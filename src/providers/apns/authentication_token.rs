//! The signed token by which Apple knows the publisher of an app.
//!
//! "Refresh your token no more than once every 20 minutes and no less than once every 60 minutes":
//! <https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns>.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
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

/// A token serves for one step of the clock, counted from the Unix epoch, so that all nodes, and a node
/// before and after a restart, make tokens with the same `iat` and change them at the same moment. Within
/// Apple's 20 to 60 minutes, also when a token serves for one more step.
const STEP: Duration = Duration::from_secs(25 * 60);

/// Makes and keeps the authentication tokens of one key.
pub(super) struct AuthenticationTokens {
    key: EcdsaKeyPair,
    key_id: String,
    team_id: String,
    clock: Clock,
    random: Random,
    current: ArcSwapOption<Token>,
    /// The step whose token Apple does not take yet, because the team has changed its token too lately;
    /// the token of the step before serves instead.
    held_back: AtomicI64,
    /// Held while a token is made, so that only one is.
    making: Mutex<()>,
}

struct Token {
    header: HeaderValue,
    step: i64,
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
            held_back: AtomicI64::new(i64::MIN),
            making: Mutex::default(),
        })
    }

    /// The value of `authorization` now.
    pub(super) fn current(&self) -> HeaderValue {
        let step = self.step();
        match &*self.current.load() {
            Some(token) if token.step == step => token.header.clone(),
            _ => self.make(step),
        }
    }

    /// An older value than `refused`, which Apple called one change too many; `None` when there is none.
    pub(super) fn older_than(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        let step = step_of(self.clock.now());
        self.held_back.store(step, Ordering::Release);
        let older = self.current();
        (older != *refused).then_some(older)
    }

    /// A newer value than `refused`, which Apple called expired; `None` when there is none.
    pub(super) fn newer_than(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        self.held_back.store(i64::MIN, Ordering::Release);
        let newer = self.current();
        (newer != *refused).then_some(newer)
    }

    /// The step whose token serves now.
    fn step(&self) -> i64 {
        let step = step_of(self.clock.now());
        if self.held_back.load(Ordering::Acquire) == step { step - 1 } else { step }
    }

    fn make(&self, step: i64) -> HeaderValue {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*self.current.load()
            && token.step == step
        {
            return token.header.clone();
        }
        let header = self.sign(start_of(step));
        self.current.store(Some(Arc::new(Token { header: header.clone(), step })));
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

const STEP_SECONDS: i64 = STEP.as_secs().cast_signed();

fn step_of(now: Timestamp) -> i64 {
    now.unix_seconds().div_euclid(STEP_SECONDS)
}

fn start_of(step: i64) -> Timestamp {
    Timestamp::from_unix_seconds(step.saturating_mul(STEP_SECONDS))
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
