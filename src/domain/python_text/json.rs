//! JSON as the official service decodes it: what kind of number, which of two equal keys.
//!
//! The text is known to be JSON, so this reads it in one pass. `serde_json`'s own tree would lose
//! what matters here: the order of keys, `-0`, and the last digit of some floats.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map},
};

use super::PythonTextError;

/// How many lists and objects may stand in each other. Real payloads have four; each level costs
/// stack space here, and the official service ends at about a thousand.
pub(super) const DEEPEST: usize = 128;

/// A decoded JSON value.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// `True`, `False` or `None`.
    Constant(&'static str),
    /// The digits of an integer of 64 bits, signed or unsigned.
    Integer(&'a str),
    /// Any other number; always finite.
    Float(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Value<'a>>),
    /// An object. Of two equal keys the first gives the place and the last the value.
    Dict(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Decodes a whole text.
pub(super) fn parse(text: &str) -> Result<Value<'_>, PythonTextError> {
    let mut parser = Parser { rest: text, depth: 0 };
    let value = parser.value()?;
    parser.skip_blanks();
    if parser.rest.is_empty() { Ok(value) } else { Err(PythonTextError::NotJson) }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Result<Value<'a>, PythonTextError> {
        self.skip_blanks();
        match self.rest.as_bytes().first() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'[') => self.nested(Self::list),
            Some(b'{') => self.nested(Self::dict),
            Some(b't') => self.constant("true", "True"),
            Some(b'f') => self.constant("false", "False"),
            Some(b'n') => self.constant("null", "None"),
            _ => self.number(),
        }
    }

    fn nested(
        &mut self,
        inside: fn(&mut Self) -> Result<Value<'a>, PythonTextError>,
    ) -> Result<Value<'a>, PythonTextError> {
        if self.depth == DEEPEST {
            return Err(PythonTextError::TooDeep);
        }
        self.depth += 1;
        let value = inside(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Value<'a>, PythonTextError> {
        let mut items = Vec::new();
        self.expect('[')?;
        if self.accept(']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if !self.accept(',') {
                self.expect(']')?;
                return Ok(Value::List(items));
            }
        }
    }

    fn dict(&mut self) -> Result<Value<'a>, PythonTextError> {
        let mut entries = Vec::new();
        let mut places = HashMap::new();
        self.expect('{')?;
        if self.accept('}') {
            return Ok(Value::Dict(entries));
        }
        loop {
            self.skip_blanks();
            let key = self.string()?;
            self.expect(':')?;
            let value = self.value()?;
            match places.entry(key.clone()) {
                hash_map::Entry::Occupied(place) => {
                    let place: usize = *place.get();
                    entries[place] = (key, value);
                }
                hash_map::Entry::Vacant(place) => {
                    place.insert(entries.len());
                    entries.push((key, value));
                }
            }
            if !self.accept(',') {
                self.expect('}')?;
                return Ok(Value::Dict(entries));
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, PythonTextError> {
        let inside = self.rest.strip_prefix('"').ok_or(PythonTextError::NotJson)?;
        let mut escaped = false;
        let mut has_escapes = false;
        let end = inside.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            has_escapes |= escaped;
            ends
        });
        let end = end.ok_or(PythonTextError::NotJson)?;
        let (whole, rest) = self.rest.split_at(end + 2);
        self.rest = rest;
        if has_escapes {
            // Of a text known to be JSON, only a surrogate can still be wrong.
            let text = serde_json::from_str(whole);
            text.map(Cow::Owned).map_err(|_| PythonTextError::UnpairedSurrogate)
        } else {
            Ok(Cow::Borrowed(&inside[..end]))
        }
    }

    fn number(&mut self) -> Result<Value<'a>, PythonTextError> {
        let is_part = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        if digits == "-0" {
            return Ok(Value::Integer("0"));
        }
        if digits.parse::<u64>().is_ok() || digits.parse::<i64>().is_ok() {
            return Ok(Value::Integer(digits));
        }
        match digits.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Value::Float(float)),
            Ok(_) => Err(PythonTextError::NumberTooLarge),
            Err(_) => Err(PythonTextError::NotJson),
        }
    }

    fn constant(&mut self, json: &str, python: &'static str) -> Result<Value<'a>, PythonTextError> {
        self.rest = self.rest.strip_prefix(json).ok_or(PythonTextError::NotJson)?;
        Ok(Value::Constant(python))
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), PythonTextError> {
        if self.accept(wanted) { Ok(()) } else { Err(PythonTextError::NotJson) }
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}
