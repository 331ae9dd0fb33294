//! Randomness of the system, passed in wherever it is needed.

use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;

/// A source of unpredictable bytes; clones are equal.
#[derive(Clone, Debug)]
pub struct Random {
    system: SystemRandom,
}

impl Default for Random {
    fn default() -> Self {
        Self { system: SystemRandom::new() }
    }
}

impl Random {
    /// `N` unpredictable bytes.
    ///
    /// # Panics
    ///
    /// When the operating system refuses to give randomness; nothing safe can be done then.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.system.fill(&mut bytes).expect("the operating system gives randomness");
        bytes
    }

    /// The source itself, for signatures.
    #[must_use]
    pub fn system(&self) -> &SystemRandom {
        &self.system
    }

    /// A random (version 4) UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}
