//! How a push is written in the memory that nodes share: row numbers and ids, no token and nothing of a message.
//!
//! A value is `a` for a push that was accepted; of any other the state, the cause for which it may have arrived, its
//! holder and its id, with a blank between. So most are short enough for the dense form in which Redis keeps small
//! hashes (`hash-max-listpack-value`, 64 bytes).

use uuid::Uuid;

use super::PushKey;
use crate::{domain::device::Row, metrics::RetryCause};

/// Where nothing of it can have arrived.
const NO_CAUSE: &str = "-";

/// A push that was taken.
pub(super) const ACCEPTED: &str = "a";

/// One that was not.
const FAILED: &str = "f";

/// The field of a push.
pub(super) fn field((row, occurrence): PushKey) -> String {
    match row {
        Row::Device(id) => format!("d{id}.{occurrence}"),
        Row::E2ee(id) => format!("e{id}.{occurrence}"),
    }
}

/// The value of a push that failed.
pub(super) fn failed(node: &str, number: u64, id: Uuid, cause: Option<RetryCause>) -> String {
    format!("{FAILED} {} {node} {number} {}", word_of(cause), id.simple())
}

/// How a cause is written.
pub(super) fn word_of(cause: Option<RetryCause>) -> &'static str {
    cause.map_or(NO_CAUSE, RetryCause::as_str)
}

/// The cause in a word.
pub(super) fn cause_of(word: &str) -> Option<RetryCause> {
    if word == NO_CAUSE {
        return None;
    }
    let known = RetryCause::ALL.iter().copied().find(|cause| cause.as_str() == word);
    // That of a newer node; what counts is that there is one.
    Some(known.unwrap_or(RetryCause::Interrupted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_read_as_it_was_written() {
        for cause in RetryCause::ALL.iter().copied().map(Some).chain([None]) {
            assert_eq!(cause_of(word_of(cause)), cause);
        }
        assert_eq!(cause_of("eclipse"), Some(RetryCause::Interrupted), "of a newer node");
    }

    #[test]
    fn the_usual_value_has_at_most_64_bytes() {
        let value = failed("abcdefghijkl", 9_999_999_999, Uuid::nil(), None);
        assert!(value.len() <= 64, "{value}");
    }
}
