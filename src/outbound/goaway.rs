//! What a push service says when it leaves a connection.

use h2::{Error, Reason};
use serde::Deserialize;

use crate::metrics::GoawayReason;

/// Apple's words are shorter; a longer one is cut.
const LONGEST_WORD: usize = 64;

/// More than this of what a peer added is not looked at.
const LONGEST_TEXT: usize = 1024;

/// Why the peer leaves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Goaway {
    /// The code of HTTP/2.
    pub(super) code: Reason,
    /// Apple's word for it: "the GOAWAY frame's payload includes JSON data with a `reason` key",
    /// <https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns>.
    pub(super) word: Option<String>,
}

impl Goaway {
    /// What an error of a connection says, if it is the peer's GOAWAY.
    pub(super) fn of(error: &Error) -> Option<Self> {
        let code = error.reason().filter(|_| error.is_go_away() && error.is_remote())?;
        Some(Self { code, word: word(&error.to_string()) })
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

/// The reason in the JSON that the peer added; h2 gives it only within its own message, as a Rust
/// literal in brackets.
fn word(message: &str) -> Option<String> {
    let (_, literal) = message.split_once(" (b\"")?;
    let said: Said = serde_json::from_slice(&unescaped(literal.strip_suffix("\")")?)).ok()?;
    let is_printable = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
    let word: String = said.reason.chars().filter(is_printable).take(LONGEST_WORD).collect();
    (!word.is_empty()).then_some(word)
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

    fn said(debug_data: &'static str) -> Option<String> {
        word(&format!("connection error received: not a result of an error ({:?})", {
            Bytes::from_static(debug_data.as_bytes())
        }))
    }

    #[test]
    fn apples_word_is_found() {
        assert_eq!(said(r#"{"reason":"Shutdown"}"#).as_deref(), Some("Shutdown"));
        assert_eq!(said(r#"{"reason":"BadCertificate","timestamp":1}"#).unwrap(), "BadCertificate");
    }

    #[test]
    fn only_printable_letters_and_few_of_them_are_kept() {
        assert_eq!(
            said("{\"reason\":\"a\\u001b[31m \\n\\u00e4\\\"b\\\\\"}").unwrap(),
            "a[31m \"b\\"
        );
        let long = format!("x (b\"{{\\\"reason\\\":\\\"{}\\\"}}\")", "y".repeat(500));
        assert_eq!(word(&long).unwrap(), "y".repeat(LONGEST_WORD));
    }

    #[test]
    fn anything_else_is_no_word() {
        for text in
            ["", "max_age", "{}", "{\"reason\":5}", "{\"reason\":\"\"}", "\\", "\u{0}\u{ff}"]
        {
            assert_eq!(said(text), None, "{text}");
        }
        assert_eq!(word("connection error received: unspecific protocol error detected"), None);
        assert_eq!(word(&format!("x (b\"{}\")", "\\x4".repeat(9999))), None);
    }
}
