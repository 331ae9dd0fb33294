//! Which of the devices a server believes in are not ours.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
};

use crate::domain::device::{DeviceToken, Provider};

/// A token that we hold, and the push service it is of.
pub(super) type HeldToken = (Provider, DeviceToken);

/// The tokens a server listed with a notify: its own picture of the user's devices.
#[derive(Clone, Default)]
pub struct ListedDevices<'a> {
    /// Of Android phones.
    pub android: Vec<Cow<'a, str>>,
    /// Of Apple's phones.
    pub apple: Vec<Cow<'a, str>>,
}

/// Tokens the server should forget, in its own spelling; it does so for all its users. No `Debug` for
/// what they are: only how many.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DeletedDevices {
    /// Of Android phones, sorted.
    pub android: Vec<String>,
    /// Of Apple's phones, sorted.
    pub apple: Vec<String>,
}

impl std::fmt::Debug for DeletedDevices {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} android, {} apple", self.android.len(), self.apple.len())
    }
}

impl DeletedDevices {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.android.is_empty() && self.apple.is_empty()
    }
}

impl ListedDevices<'_> {
    /// The listed tokens that are not among those held.
    pub(super) fn missing_in(&self, held: &HashSet<HeldToken>) -> DeletedDevices {
        DeletedDevices {
            android: missing(Provider::Fcm, &self.android, held),
            apple: missing(Provider::Apns, &self.apple, held),
        }
    }
}

/// Of several spellings of one token that we hold all but the first are missing too: the client has a
/// row for each, and only one is right.
fn missing(provider: Provider, listed: &[Cow<'_, str>], held: &HashSet<HeldToken>) -> Vec<String> {
    let mut missing = BTreeSet::new();
    let mut first_spelling = HashMap::with_capacity(listed.len());
    for spelling in listed {
        let token = DeviceToken::lenient(provider, spelling);
        let held_token = (provider, token);
        let is_held = held.contains(&held_token);
        let first = *first_spelling.entry(held_token.1).or_insert(spelling);
        if !is_held || first != spelling {
            missing.insert(spelling.to_string());
        }
    }
    missing.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deleted(android: &[&str], apple: &[&str], held: &[&str]) -> DeletedDevices {
        let listed = ListedDevices {
            android: android.iter().map(|&token| token.into()).collect(),
            apple: apple.iter().map(|&token| token.into()).collect(),
        };
        let held: HashSet<_> = [Provider::Apns, Provider::Fcm]
            .into_iter()
            .flat_map(|provider| {
                held.iter().map(move |&token| (provider, DeviceToken::from_stored(token)))
            })
            .collect();
        listed.missing_in(&held)
    }

    #[test]
    fn tokens_that_are_not_held_are_missing_once_each() {
        let found = deleted(&["zzz", "a", "zzz"], &["b"], &["a"]);
        assert_eq!((found.android, found.apple), (vec!["zzz".to_owned()], vec!["b".to_owned()]));
    }

    #[test]
    fn of_several_spellings_of_a_held_token_the_first_stays() {
        assert_eq!(deleted(&[], &["AB", "ab"], &["ab"]).apple, ["ab"]);
        assert_eq!(deleted(&[], &["ab", "AB", "ab"], &["ab"]).apple, ["AB"]);
        assert!(deleted(&[], &["AB", "AB"], &["ab"]).is_empty());
        assert_eq!(deleted(&[], &["AB", "ab"], &[]).apple, ["AB", "ab"]);
    }
}
