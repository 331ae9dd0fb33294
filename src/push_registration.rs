//! Devices that register sealed: the chat server that brings a registration cannot read it.
//!
//! The phone seals its token for a public key that is embedded in the app (a sealed box of libsodium); the
//! private halves of such keys are ours alone.

mod keys;
mod plaintext;
mod sealing;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

pub use keys::{AddedKey, KeyError, KeysUnusable, RegistrationKey, RegistrationKeys};
use plaintext::Plaintext;

use crate::{
    clock::{Clock, Timestamp},
    domain::e2ee_device::{E2eeIdentity, NewE2eeDevice, TokenId},
    registry::RegistryError,
};

/// A registration is good for so long after the phone made it.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// A longer plaintext is no registration: 4096 characters, each written as two escapes (12 bytes), are 48 KiB,
/// and all else is short.
const MAX_PLAINTEXT_BYTES: usize = 64 * 1024;

/// What a sealed box has besides its plaintext: a public key of its own, and a tag.
const SEAL_BYTES: usize = 32 + 16;

/// The same in base64.
const MAX_SEALED_CHARACTERS: usize = (MAX_PLAINTEXT_BYTES + SEAL_BYTES).div_ceil(3) * 4;

/// Opens sealed registrations.
pub struct PushRegistrations {
    keys: RegistrationKeys,
    clock: Clock,
}

/// A sealed registration, as the chat server brings it.
pub struct SealedRegistration<'a> {
    /// The public key it was sealed for, base64.
    pub public_key: &'a str,
    /// The sealed box, base64.
    pub sealed: &'a str,
    /// How the chat server will name the device.
    pub name: RegisteredName<'a>,
}

/// How the chat server will name the device it registers.
#[derive(Clone, Copy)]
pub enum RegisteredName<'a> {
    /// Zulip 12: by the token's id, which the phone told it.
    TokenId(&'a str),
    /// Zulip 11: by what we answer, for this account.
    PushAccount(i64),
}

/// Why a sealed registration is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PushRegistrationError {
    /// It was sealed for a key that is not ours, or no longer.
    #[error("sealed for a key that is not ours")]
    UnknownKey,
    /// It cannot be opened, or says something else than a registration does.
    #[error("no registration")]
    Invalid,
    /// It was made more than a day ago.
    #[error("made too long ago")]
    Expired,
    /// The keys cannot be used: a fault of ours, so nobody may take it for a refusal.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The keys cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl PushRegistrations {
    /// Opens registrations with these keys.
    #[must_use]
    pub fn new(keys: RegistrationKeys, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &RegistrationKeys {
        &self.keys
    }

    /// The device in a sealed registration; what is wrong is found in the order of the protocol (5.2).
    ///
    /// # Errors
    ///
    /// When the registration is not acceptable, or the keys are not at hand.
    pub async fn open(
        &self,
        registration: SealedRegistration<'_>,
    ) -> Result<NewE2eeDevice, PushRegistrationError> {
        let key = self.keys.live(registration.public_key).await?;
        let key = key.ok_or(PushRegistrationError::UnknownKey)?;
        let plaintext = decode(registration.sealed)
            .and_then(|sealed| key.private_key.unseal(&sealed).ok())
            .map(Zeroizing::new)
            .ok_or(PushRegistrationError::Invalid)?;
        let device = judge(&plaintext, registration.name, self.clock.now())?;
        self.keys.count_use(key.id);
        Ok(device)
    }
}

/// The bytes of a sealed box, unless they are more than a registration has.
fn decode(sealed: &str) -> Option<Vec<u8>> {
    if sealed.len() > MAX_SEALED_CHARACTERS {
        return None;
    }
    STANDARD.decode(sealed).ok()
}

fn judge(
    plaintext: &[u8],
    name: RegisteredName<'_>,
    now: Timestamp,
) -> Result<NewE2eeDevice, PushRegistrationError> {
    let plaintext = Plaintext::parse(plaintext).ok_or(PushRegistrationError::Invalid)?;
    let identity = match name {
        RegisteredName::TokenId(text) => match TokenId::parse(text) {
            Some(id) if id == plaintext.token_id => E2eeIdentity::TokenId(id),
            Some(_) | None => return Err(PushRegistrationError::Invalid),
        },
        RegisteredName::PushAccount(id) => E2eeIdentity::PushAccount(id),
    };
    // In whole seconds, as phones count.
    let made_at = Timestamp::from_unix_seconds(plaintext.timestamp);
    if Timestamp::from_unix_seconds(now.unix_seconds()).since(made_at) > LIFE {
        return Err(PushRegistrationError::Expired);
    }
    Ok(NewE2eeDevice {
        identity,
        provider: plaintext.provider,
        token: plaintext.token,
        app_id: plaintext.app_id,
        // A clock may be ahead; a registration is not made after it came.
        registered_at: made_at.min(now),
    })
}

#[cfg(test)]
mod tests;
