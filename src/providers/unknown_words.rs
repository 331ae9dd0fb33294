//! Words for no that no table has: the operator is told of each, once an hour.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::device::{DeviceToken, Provider};

/// A word is told again after so long.
const PAUSE: Duration = Duration::from_secs(60 * 60);

/// So many words are remembered; while all of them are fresh, no other is told.
const MOST: usize = 64;

/// The longest reason of both tables has half as many letters.
const LONGEST: usize = 64;

/// What is told of a reason that is no word.
const NO_WORD: &str = "[not a word]";

/// The unknown words of the last hour; times are those of [`Clock::running`](crate::clock::Clock::running).
#[derive(Default)]
pub(super) struct UnknownWords {
    told: Mutex<Vec<(Duration, Provider, String)>>,
}

impl UnknownWords {
    /// Tells of a word that a push service said about a push to this device.
    pub(super) fn tell(
        &self,
        (provider, app): (Provider, &str),
        status: u16,
        word: &str,
        token: &DeviceToken,
        running: Duration,
    ) {
        let word = if is_tellable(word, token) { word } else { NO_WORD };
        if self.is_new(provider, word, running) {
            tracing::warn!(
                event = "provider.unknown_reason",
                provider = provider.as_str(),
                app,
                provider_status = status,
                reason = word,
                "the push service refuses a push for a reason that this version does not know",
            );
        }
    }

    fn is_new(&self, provider: Provider, word: &str, running: Duration) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(at, ..)| running < *at + PAUSE);
        let is_known = told.iter().any(|(_, of, known)| *of == provider && known == word);
        if is_known || told.len() == MOST {
            return false;
        }
        told.push((running, provider, word.to_owned()));
        true
    }
}

/// Who wrote it is not trusted, and may repeat what we said. Reasons are words of letters, in one or with `_` between
/// them; tokens of devices and ours have digits, and few are as short.
fn is_tellable(word: &str, token: &DeviceToken) -> bool {
    let token = token.expose().to_ascii_lowercase();
    (1..=LONGEST).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && (token.is_empty() || !word.to_ascii_lowercase().contains(&token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_new_once_an_hour_and_few_are_remembered() {
        let words = UnknownWords::default();
        let hour = |hours: u32| PAUSE * hours;
        assert!(words.is_new(Provider::Apns, "New", hour(1)));
        assert!(!words.is_new(Provider::Apns, "New", hour(2) - Duration::from_secs(1)));
        assert!(words.is_new(Provider::Fcm, "New", hour(1)), "the other service's");
        assert!(words.is_new(Provider::Apns, "New", hour(2)));
        let news = (0..1000)
            .filter(|number| words.is_new(Provider::Apns, &format!("New {number}"), hour(2)));
        assert_eq!(news.count(), MOST - 1);
        assert!(words.is_new(Provider::Apns, "Newest", hour(3)), "they are forgotten");
    }

    #[test]
    fn only_words_are_told_and_no_token() {
        let token = DeviceToken::from_stored("abcdef");
        for word in ["TooManyMoons", "TOO_MANY_MOONS", &"x".repeat(LONGEST)] {
            assert!(is_tellable(word, &token), "{word}");
        }
        for text in [
            "",
            "two words",
            "a\nb",
            "\u{1b}[31m",
            "é",
            "NoabcDEFHere",
            &"0a1b".repeat(16),
            "dKx3:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx",
            "bearer eyJhbGciOiJFUzI1NiJ9",
            &"x".repeat(LONGEST + 1),
        ] {
            assert!(!is_tellable(text, &token), "{text}");
        }
    }
}
