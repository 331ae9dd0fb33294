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

    /// So many unpredictable letters and digits of ASCII, each as likely as any other.
    #[must_use]
    pub fn letters(&self, count: usize) -> String {
        const LETTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        // Bytes above the largest multiple of 62 would make some letters likelier.
        const FAIR: u8 = 248;
        let mut text = String::with_capacity(count);
        while text.len() < count {
            let bytes = self.bytes::<64>();
            let fair = bytes.iter().filter(|byte| **byte < FAIR).take(count - text.len());
            text.extend(fair.map(|byte| char::from(LETTERS[usize::from(byte % 62)])));
        }
        text
    }

    /// A number from 0 to 1, 1 excluded.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        // As many bits as a double holds exactly.
        let bits = u64::from_le_bytes(self.bytes()) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let (bits, all) = (bits as f64, (1_u64 << 53) as f64);
        bits / all
    }

    /// A random (version 4) UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_letters_and_digits_all_as_likely() {
        let text = Random::default().letters(62_000);
        assert_eq!(text.len(), 62_000);
        let mut counts = std::collections::BTreeMap::new();
        for letter in text.chars() {
            assert!(letter.is_ascii_alphanumeric());
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        // A thousand of each, give or take eight standard deviations.
        assert!(counts.values().all(|count| (750..=1250).contains(count)), "{counts:?}");
    }
}
