//! The key an app shares with its chat server: encrypts what a push says, and decrypts it again.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305, aead::Aead as _};
use serde_json::Value;

use super::PhoneError;
use crate::random::Random;

/// The first byte of a push key says what it is used with: XSalsa20-Poly1305.
const TYPE: u8 = 0x31;

/// The length of the secret, in bytes.
const SECRET_BYTES: usize = 32;

/// The length of what makes each message unlike all others, in bytes.
const NONCE_BYTES: usize = 24;

/// A push key and its id. It has no `Debug`: keys are not printed.
#[derive(Clone)]
pub struct PushKey {
    id: u32,
    secret: [u8; SECRET_BYTES],
}

impl PushKey {
    /// A new one.
    #[must_use]
    pub fn generate(random: &Random) -> Self {
        Self { id: u32::from_be_bytes(random.bytes()), secret: random.bytes() }
    }

    /// The key of this id, as the app gives it to its chat server.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(id: u32, text: &str) -> Result<Self, PhoneError> {
        let bytes = STANDARD.decode(text).map_err(|_| PhoneError::PushKey)?;
        let secret = bytes.strip_prefix(&[TYPE]).and_then(|secret| secret.try_into().ok());
        Ok(Self { id, secret: secret.ok_or(PhoneError::PushKey)? })
    }

    /// The type and the secret in base64, as the app gives them to its chat server.
    #[must_use]
    pub fn expose(&self) -> String {
        STANDARD.encode([&[TYPE], self.secret.as_slice()].concat())
    }

    /// By what the app finds it again: any number of 32 bits, without sign.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the chat server sends as `encrypted_data`.
    #[must_use]
    pub fn encrypt(&self, plaintext: &Value, random: &Random) -> String {
        let nonce = random.bytes::<NONCE_BYTES>();
        let encrypted = self
            .secret_box()
            .encrypt(&nonce.into(), plaintext.to_string().as_bytes())
            .expect("a push is far shorter than what a box holds");
        STANDARD.encode([nonce.as_slice(), &encrypted].concat())
    }

    /// What `encrypted_data` says.
    ///
    /// # Errors
    ///
    /// When it was not made with this key.
    pub fn decrypt(&self, encrypted_data: &str) -> Result<Value, PhoneError> {
        let bytes = STANDARD.decode(encrypted_data).map_err(|_| PhoneError::Unreadable)?;
        let (nonce, encrypted) =
            bytes.split_first_chunk::<NONCE_BYTES>().ok_or(PhoneError::Unreadable)?;
        let plaintext = self
            .secret_box()
            .decrypt(nonce.into(), encrypted)
            .map_err(|_| PhoneError::Unreadable)?;
        serde_json::from_slice(&plaintext).map_err(|_| PhoneError::Unreadable)
    }

    fn secret_box(&self) -> XSalsa20Poly1305 {
        XSalsa20Poly1305::new(&self.secret.into())
    }
}
