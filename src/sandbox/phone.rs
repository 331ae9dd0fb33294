//! A phone whose app encrypts end to end: what it seals for the bouncer, and what it reads of a push.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto_box::{
    PublicKey,
    aead::rand_core::{self, CryptoRng, RngCore},
};
use ring::{
    digest::{SHA256, digest},
    rand::SecureRandom as _,
};
use serde_json::{Value, json};

pub use push_device::PushDevice;
pub use push_key::PushKey;

use crate::{clock::Timestamp, domain::device::Provider, random::Random};

mod push_device;
mod push_key;

/// How much of the hash of a token its id is, in bytes.
const TOKEN_ID_BYTES: usize = 8;

/// One account in the app of one phone. It has no `Debug`: tokens and keys are not printed.
pub struct Phone {
    provider: Provider,
    token: String,
    app_id: Option<String>,
    push_key: PushKey,
}

/// What the app gives its chat server for `push/e2ee/register`, in the words of the wire.
pub struct Registration {
    /// Stands for the token, which the chat server never sees.
    pub token_id: String,
    /// The token and what belongs to it, sealed for the bouncer: base64.
    pub encrypted_push_registration: String,
    /// The key it is sealed with, as the app has it.
    pub bouncer_public_key: String,
}

/// Why a phone cannot register, or cannot read a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// The bouncer's public key is none.
    #[error("a public key is 32 bytes in base64")]
    PublicKey,
    /// A push key is none.
    #[error("a push key is `1` and 32 bytes, in base64")]
    PushKey,
    /// A push without a key's id and encrypted data.
    #[error("the push is not encrypted")]
    NotEncrypted,
    /// A push for another account, or for a key the app has no more.
    #[error("the push is encrypted with another push key")]
    OtherPushKey,
    /// Not made with this push key, or changed on the way.
    #[error("the push cannot be decrypted")]
    Unreadable,
}

impl Phone {
    /// An iPhone with a new push key; `token` is what Apple calls the app on it.
    #[must_use]
    pub fn apple(token: &str, app_id: &str, random: &Random) -> Self {
        Self {
            provider: Provider::Apns,
            token: token.to_owned(),
            app_id: Some(app_id.to_owned()),
            push_key: PushKey::generate(random),
        }
    }

    /// An Android phone with a new push key; `token` is what Google calls the app on it.
    #[must_use]
    pub fn android(token: &str, random: &Random) -> Self {
        Self {
            provider: Provider::Fcm,
            token: token.to_owned(),
            app_id: None,
            push_key: PushKey::generate(random),
        }
    }

    /// What stands for the token at the chat server: the first 8 bytes of its SHA-256, in base64.
    #[must_use]
    pub fn token_id(&self) -> String {
        STANDARD.encode(&digest(&SHA256, self.token.as_bytes()).as_ref()[..TOKEN_ID_BYTES])
    }

    /// What it registers with, sealed at `now` for the bouncer of this public key (base64, as the app
    /// was built with it).
    ///
    /// # Errors
    ///
    /// When the public key is none.
    pub fn registration(
        &self,
        bouncer_public_key: &str,
        now: Timestamp,
        random: &Random,
    ) -> Result<Registration, PhoneError> {
        let mut plaintext = json!({
            "token": self.token,
            "token_kind": self.provider.as_str(),
            "timestamp": now.unix_seconds(),
        });
        if let Some(app_id) = &self.app_id {
            plaintext["ios_app_id"] = app_id.as_str().into();
        }
        let sealed = seal(plaintext.to_string().as_bytes(), bouncer_public_key, random)?;
        Ok(Registration {
            token_id: self.token_id(),
            encrypted_push_registration: sealed,
            bouncer_public_key: bouncer_public_key.to_owned(),
        })
    }

    /// What its chat server knows of it.
    #[must_use]
    pub fn push_device(&self) -> PushDevice {
        PushDevice {
            provider: self.provider,
            token_id: self.token_id(),
            push_key: self.push_key.clone(),
        }
    }

    /// What a push says: of the payload Apple delivers, or the data Google delivers.
    ///
    /// # Errors
    ///
    /// When it is not encrypted, or not for this phone.
    pub fn read(&self, payload: &Value) -> Result<Value, PhoneError> {
        let id = match &payload["push_key_id"] {
            // Google's data are texts, all of them.
            Value::String(text) => text.parse().ok(),
            id => id.as_u64(),
        };
        let (Some(id), Some(data)) = (id, payload["encrypted_data"].as_str()) else {
            return Err(PhoneError::NotEncrypted);
        };
        if id != u64::from(self.push_key.id()) {
            return Err(PhoneError::OtherPushKey);
        }
        self.push_key.decrypt(data)
    }
}

impl Registration {
    /// The fields of the form.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, &str); 3] {
        [
            ("token_id", &self.token_id),
            ("encrypted_push_registration", &self.encrypted_push_registration),
            ("bouncer_public_key", &self.bouncer_public_key),
        ]
    }
}

/// A [sealed box](https://doc.libsodium.org/public-key_cryptography/sealed_boxes) in base64.
fn seal(plaintext: &[u8], public_key: &str, random: &Random) -> Result<String, PhoneError> {
    let public_key = STANDARD.decode(public_key).map_err(|_| PhoneError::PublicKey)?;
    let public_key = PublicKey::from_slice(&public_key).map_err(|_| PhoneError::PublicKey)?;
    let sealed = public_key
        .seal(&mut Generator(random), plaintext)
        .expect("a registration is far shorter than what a box holds");
    Ok(STANDARD.encode(sealed))
}

/// The system's randomness as the boxes want it.
struct Generator<'a>(&'a Random);

impl CryptoRng for Generator<'_> {}

impl RngCore for Generator<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_be_bytes(self.0.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_be_bytes(self.0.bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.system().fill(bytes).expect("the operating system gives randomness");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
