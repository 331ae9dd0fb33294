//! The key pairs: made, moved here, looked up, listed and retired.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto_box::SecretKey as PrivateKey;
use zeroize::Zeroizing;

use super::sealing::{PRIVATE_KEY_BYTES, Sealing};
use crate::{
    clock::Timestamp,
    random::Random,
    registry::{PUBLIC_KEY_BYTES, Registry, RegistryError, StoredKey},
    secret_key::SecretKey,
};

/// The key pairs that phones may seal their registrations for.
pub struct RegistrationKeys {
    registry: Registry,
    sealing: Sealing,
    random: Random,
}

/// A key pair as its owner sees it: nothing of the private half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationKey {
    /// Our own key of the row.
    pub id: i64,
    /// The public key, base64: what is embedded in the app.
    pub public_key: String,
    /// When it was made or moved here.
    pub created_at: Timestamp,
    /// Since when it is not used any more.
    pub retired_at: Option<Timestamp>,
    /// Registrations it opened in the last 30 days.
    pub uses: i64,
}

/// What became of a key that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddedKey {
    /// It is there now.
    Added(String),
    /// It was there, and retired; it is used again.
    Revived(String),
    /// It was there already.
    Known(String),
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key in the database is sealed under another secret.
    #[error(
        "the private key of the registration key {0} cannot be opened: the database belongs to another `secret_key_file`"
    )]
    Sealed(String),
}

/// Why it is not certain that phones can register sealed.
#[derive(Debug, thiserror::Error)]
pub enum KeysUnusable {
    /// One of the keys cannot be opened.
    #[error(transparent)]
    Sealed(#[from] KeyError),
    /// Nobody knows: the database failed.
    #[error(transparent)]
    Unread(#[from] RegistryError),
}

/// A key that opens registrations.
pub(super) struct LiveKey {
    pub(super) id: i64,
    pub(super) private_key: PrivateKey,
}

impl RegistrationKeys {
    /// The keys in this database, under this secret.
    #[must_use]
    pub fn new(registry: Registry, secret: &SecretKey, random: Random) -> Self {
        Self { registry, sealing: Sealing::new(secret, random.clone()), random }
    }

    /// Makes a new pair; gives the public key, base64.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn create(&self) -> Result<String, RegistryError> {
        let private_key = Zeroizing::new(self.random.bytes::<PRIVATE_KEY_BYTES>());
        let (AddedKey::Added(key) | AddedKey::Revived(key) | AddedKey::Known(key)) =
            self.add(&private_key).await?;
        Ok(key)
    }

    /// Adds the pair of a private key.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn add(
        &self,
        private_key: &[u8; PRIVATE_KEY_BYTES],
    ) -> Result<AddedKey, RegistryError> {
        let public_key = *PrivateKey::from_bytes(*private_key).public_key().as_bytes();
        let text = STANDARD.encode(public_key);
        let keys = self.registry.registration_keys().await?;
        let known = keys.iter().find(|key| key.public_key == public_key);
        if let Some(known) = known.filter(|key| key.retired_at.is_none())
            && self.sealing.open(&public_key, &known.sealed_private_key).is_some()
        {
            return Ok(AddedKey::Known(text));
        }
        // One that was sealed under another secret is sealed anew.
        let sealed = self.sealing.seal(&public_key, private_key);
        self.registry.add_registration_key(public_key, sealed).await?;
        Ok(if known.is_some() { AddedKey::Revived(text) } else { AddedKey::Added(text) })
    }

    /// All pairs, oldest first, with their uses.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list(&self) -> Result<Vec<RegistrationKey>, RegistryError> {
        let keys = self.registry.registration_keys().await?;
        let uses = self.registry.registration_key_uses().await?;
        let key = |key: &StoredKey| RegistrationKey {
            id: key.id,
            public_key: STANDARD.encode(key.public_key),
            created_at: key.created_at,
            retired_at: key.retired_at,
            uses: uses.get(&key.id).copied().unwrap_or(0),
        };
        Ok(keys.iter().map(key).collect())
    }

    /// Registrations that are sealed for this key are refused from now on.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn retire(&self, key: &RegistrationKey) -> Result<(), RegistryError> {
        self.registry.retire_registration_key(key.id).await
    }

    /// Whether every key that is in use can be opened.
    ///
    /// # Errors
    ///
    /// When the keys cannot be read, or one cannot be opened.
    pub async fn check(&self) -> Result<(), KeysUnusable> {
        for key in self.registry.registration_keys().await?.iter() {
            if key.retired_at.is_none() {
                self.open(key)?;
            }
        }
        Ok(())
    }

    /// The key with this public key, base64, if there is one and it is in use. Texts are compared: another
    /// spelling is another key, as in the reference.
    pub(super) async fn live(
        &self,
        public_key: &str,
    ) -> Result<Option<LiveKey>, super::PushRegistrationError> {
        let Ok(bytes) = STANDARD.decode(public_key) else { return Ok(None) };
        let Ok(bytes) = <[u8; PUBLIC_KEY_BYTES]>::try_from(bytes) else { return Ok(None) };
        let keys = self.registry.registration_keys().await?;
        let is_it = |key: &&StoredKey| key.public_key == bytes && key.retired_at.is_none();
        match keys.iter().find(is_it) {
            Some(key) => Ok(Some(LiveKey { id: key.id, private_key: self.open(key)? })),
            None => Ok(None),
        }
    }

    /// Counts a registration that the key opened.
    pub(super) fn count_use(&self, id: i64) {
        self.registry.count_key_use(id);
    }

    fn open(&self, key: &StoredKey) -> Result<PrivateKey, KeyError> {
        match self.sealing.open(&key.public_key, &key.sealed_private_key) {
            Some(private_key) => Ok(PrivateKey::from_bytes(*private_key)),
            None => Err(KeyError::Sealed(STANDARD.encode(key.public_key))),
        }
    }
}
