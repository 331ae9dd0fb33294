//! What a push service says when it leaves a connection.

use h2::{Error, Reason};
use serde::Deserialize;

use crate::metrics::GoawayReason;

/// More than this of what a peer added is not looked at.
const LONGEST_TEXT: usize = 1024;

/// What Apple's and Google's servers say when they leave. Nothing else of what a peer added is repeated: it may
/// echo a token, or the path of a request.
const KNOWN_WORDS: [&str; 18] = [
    "BadCertificate",
    "BadCertificateEnvironment",
    "ExpiredProviderToken",
    "Forbidden",
    "IdleTimeout",
    "InternalServerError",
    "InvalidProviderToken",
    "MissingProviderToken",
    "ServiceUnavailable",
    "Shutdown",
    "TooManyProviderTokenUpdates",
    "exceeded_max_concurrent_streams",
    "graceful_stop",
    "load_shed",
    "max_age",
    "server_shutting_down",
    "session_timed_out",
    "too_many_pings",
];

/// Why the peer leaves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Goaway {
    /// The code of HTTP/2.
    pub(super) code: Reason,
    /// Its word for it, if that is a known one. Apple: "the GOAWAY frame's payload includes JSON data with a
    /// `reason` key", <https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns>;
    /// Google's is plain text.
    pub(super) word: Option<&'static str>,
    /// How much it added, up to 1024 bytes.
    pub(super) said_bytes: usize,
}

impl Goaway {
    /// What an error of a connection says, if it is the peer's GOAWAY.
    pub(super) fn of(error: &Error) -> Option<Self> {
        let code = error.reason().filter(|_| error.is_go_away() && error.is_remote())?;
        let said = said(&error.to_string());
        Some(Self { code, word: word(&said), said_bytes: said.len() })
    }

    /// The code in the words of metrics.
    pub(super) fn label(&self) -> GoawayReason {
        match self.code {
            Reason::NO_ERROR => GoawayReason::NoError,
            Reason::ENHANCE_YOUR_CALM => GoawayReason::EnhanceYourCalm,
            _ => GoawayReason::Other,
        }
    }
}

#[derive(Deserialize)]
struct Said {
    reason: String,
}

fn word(said: &[u8]) -> Option<&'static str> {
    let reason = serde_json::from_slice::<Said>(said).map(|said| said.reason.into_bytes());
    let reason = reason.unwrap_or_else(|_| said.to_owned());
    KNOWN_WORDS.into_iter().find(|known| known.as_bytes() == reason)
}

/// What the peer added; h2 gives it only within its own message, as a Rust literal in brackets.
fn said(message: &str) -> Vec<u8> {
    let literal = message.split_once(" (b\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    literal.map(unescaped).unwrap_or_default()
}

/// The bytes of a Rust literal.
fn unescaped(literal: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = literal.bytes();
    while let Some(byte) = rest.next() {
        if bytes.len() == LONGEST_TEXT {
            break;
        }
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'x') => {
                    let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
                    let (high, low) = (digit(rest.next()), digit(rest.next()));
                    let value = high.zip(low).map(|(high, low)| high * 16 + low);
                    value.and_then(|value| u8::try_from(value).ok()).unwrap_or(b'?')
                }
                Some(other) => other,
                None => break,
            },
            other => other,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// As h2 tells it.
    fn message(debug_data: &'static str) -> String {
        let debug_data = Bytes::from_static(debug_data.as_bytes());
        format!("connection error received: not a result of an error ({debug_data:?})")
    }

    fn word_in(debug_data: &'static str) -> Option<&'static str> {
        word(&said(&message(debug_data)))
    }

    #[test]
    fn known_words_are_found() {
        assert_eq!(word_in(r#"{"reason":"Shutdown"}"#), Some("Shutdown"));
        assert_eq!(word_in(r#"{"reason":"BadCertificate","timestamp":1}"#), Some("BadCertificate"));
        assert_eq!(word_in("server_shutting_down"), Some("server_shutting_down"));
    }

    #[test]
    fn nothing_else_is_a_word() {
        for text in [
            "",
            "{}",
            "{\"reason\":5}",
            "{\"reason\":\"\"}",
            "{\"reason\":\"0a1b2c\"}",
            "authorization: bearer e30.e30.c2ln",
            "max_age 0a1b2c",
            "\\",
            "\u{0}\u{ff}",
        ] {
            assert_eq!(word_in(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_said_is_measured_to_a_bound() {
        assert_eq!(said(&message("a\n\u{0}\\\u{ff}\"")), "a\n\u{0}\\\u{ff}\"".as_bytes());
        assert_eq!(said("connection error received: unspecific protocol error detected"), b"");
        assert_eq!(said(&format!("x (b\"{}\")", "y".repeat(9999))).len(), LONGEST_TEXT);
        assert_eq!(said(&format!("x (b\"{}\")", "\\x4".repeat(9999))).len(), LONGEST_TEXT);
    }
}
