//! Private keys under the operator's secret, as the database holds them.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{
    random::Random,
    registry::PUBLIC_KEY_BYTES,
    secret_key::{Purpose, SecretKey},
};

/// The length of a private key, in bytes.
pub(super) const PRIVATE_KEY_BYTES: usize = 32;

/// Seals and opens private keys. The public key goes into each seal, so that rows cannot be exchanged.
pub(super) struct Sealing {
    key: LessSafeKey,
    random: Random,
}

impl Sealing {
    pub(super) fn new(secret: &SecretKey, random: Random) -> Self {
        let bytes = secret.bytes(Purpose::RegistrationKeys);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*bytes).expect("a secret has 32 bytes");
        Self { key: LessSafeKey::new(key), random }
    }

    /// Nonce, ciphertext and tag. Nonces are random: 2^32 keys would be needed for a doubtful one.
    pub(super) fn seal(
        &self,
        public_key: &[u8; PUBLIC_KEY_BYTES],
        private_key: &[u8; PRIVATE_KEY_BYTES],
    ) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = self.random.bytes();
        let mut text = Zeroizing::new(*private_key);
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(public_key),
                &mut *text,
            )
            .expect("32 bytes are not too many");
        [&nonce[..], &*text, tag.as_ref()].concat()
    }

    /// The private key; `None` when it was sealed under another secret or for another public key.
    pub(super) fn open(
        &self,
        public_key: &[u8; PUBLIC_KEY_BYTES],
        sealed: &[u8],
    ) -> Option<Zeroizing<[u8; PRIVATE_KEY_BYTES]>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.key.open_in_place(nonce, Aad::from(public_key), &mut text).ok()?;
        Some(Zeroizing::new(<[u8; PRIVATE_KEY_BYTES]>::try_from(&*opened).ok()?))
    }
}
