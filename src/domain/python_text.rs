//! Python's text of a JSON value: what `str()` and `repr()` give for it.
//!
//! Zulip's protocol makes every value of a message to Google's service a string with Python's
//! `str()`, and the apps read those strings back; so the text is kept to the letter, as CPython
//! 3.11 makes it of what [`orjson`](https://github.com/ijl/orjson) decodes.

use std::{borrow::Cow, fmt::Write as _};

use serde_json::value::RawValue;
use thiserror::Error;

use self::{
    json::{DEEPEST, Value},
    printable::is_printable,
};

mod json;
mod number;
mod printable;

/// Why a JSON value has no Python text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PythonTextError {
    /// Lists and objects stand in each other more than 128 deep.
    #[error("is nested more than {DEEPEST} levels deep")]
    TooDeep,
    /// A number is beyond what a 64-bit float holds, which the official service does not decode.
    #[error("has a number that is too large")]
    NumberTooLarge,
    /// A string has half of a surrogate pair, which the official service does not decode.
    #[error("has an unpaired surrogate")]
    UnpairedSurrogate,
    /// It is no JSON; a [`RawValue`] always is.
    #[error("is not valid JSON")]
    NotJson,
}

/// The `str()` of a JSON value: the content of a string, Python's notation of everything else.
///
/// The text is at most five times as long as the JSON; whoever reads the JSON bounds it.
///
/// # Errors
///
/// One of [`PythonTextError`].
pub fn python_str(value: &RawValue) -> Result<Cow<'_, str>, PythonTextError> {
    Ok(match json::parse(value.get())? {
        Value::Text(text) => text,
        Value::Constant(text) | Value::Integer(text) => Cow::Borrowed(text),
        value @ (Value::Float(_) | Value::List(_) | Value::Dict(_)) => Cow::Owned(repr(&value)),
    })
}

/// The `repr()` of a JSON value: like [`python_str`], but a string stands in quotes too.
///
/// # Errors
///
/// One of [`PythonTextError`].
pub fn python_repr(value: &RawValue) -> Result<String, PythonTextError> {
    json::parse(value.get()).map(|value| repr(&value))
}

fn repr(value: &Value<'_>) -> String {
    let mut text = String::new();
    push_repr(&mut text, value);
    text
}

fn push_repr(text: &mut String, value: &Value<'_>) {
    match value {
        Value::Constant(constant) => text.push_str(constant),
        Value::Integer(digits) => text.push_str(digits),
        Value::Float(float) => text.push_str(&number::float_repr(*float)),
        Value::Text(content) => push_quoted(text, content),
        Value::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                push_repr(text, item);
            }
            text.push(']');
        }
        Value::Dict(entries) => {
            text.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                push_quoted(text, key);
                text.push_str(": ");
                push_repr(text, item);
            }
            text.push('}');
        }
    }
}

/// Single quotes, unless the content has one and no double quote.
fn push_quoted(text: &mut String, content: &str) {
    let quote = if content.contains('\'') && !content.contains('"') { '"' } else { '\'' };
    text.push(quote);
    for c in content.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            _ if c == quote => text.extend(['\\', c]),
            _ if is_printable(c) => text.push(c),
            _ => push_escaped(text, c),
        }
    }
    text.push(quote);
}

fn push_escaped(text: &mut String, c: char) {
    let written = match u32::from(c) {
        code @ ..=0xff => write!(text, "\\x{code:02x}"),
        code @ ..=0xffff => write!(text, "\\u{code:04x}"),
        code => write!(text, "\\U{code:08x}"),
    };
    written.expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests;
