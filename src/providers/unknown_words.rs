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

/// More letters of a word are not told.
const LONGEST: usize = 64;

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
        let word = printable(word, token);
        if self.is_new(provider, &word, running) {
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

/// Who wrote it is not trusted: a line of the log stays one line, and names no device.
fn printable(word: &str, token: &DeviceToken) -> String {
    let is_printable = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
    let mut word: String = word.chars().filter(is_printable).collect();
    let token = token.expose().to_ascii_lowercase();
    // What is left is ASCII: a place is the same in both.
    while !token.is_empty()
        && let Some(at) = word.to_ascii_lowercase().find(&token)
    {
        word.replace_range(at..at + token.len(), "[token]");
    }
    word.truncate(LONGEST);
    word
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
    fn only_a_few_printable_letters_are_told_and_no_token() {
        let token = DeviceToken::from_stored("abcdef");
        assert_eq!(printable("a\nb\u{1b}[31m\u{2028}c é", &token), "ab[31mc ");
        assert_eq!(printable(&"x".repeat(1000), &token).len(), LONGEST);
        assert_eq!(printable("No abcdef here", &token), "No [token] here");
        assert_eq!(printable("ABC\u{0}DEF and abCDef", &token), "[token] and [token]");
    }
}
