//! JSON objects whose values are looked at only where somebody asks for them.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Above so many members a repeated name is looked for by hashing and no longer one by one.
const FEW_MEMBERS: usize = 16;

/// A JSON object, its values still as text.
///
/// A repeated name counts once: at its first place, with its last value, as in Python. It has no
/// `Debug`: what it holds may be a message.
#[derive(Clone)]
pub struct JsonObject<'a> {
    members: Members<'a>,
}

type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Why a text is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonObjectError {
    /// It is not JSON at all.
    #[error("not JSON")]
    NotJson,
    /// It is JSON, but a list, a text, a number, a truth value or null.
    #[error("not an object")]
    NotAnObject,
}

impl<'a> JsonObject<'a> {
    /// The object that `text` is.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or no object.
    pub fn parse(text: &'a str) -> Result<Self, JsonObjectError> {
        let members = read(text, MembersVisitor)?;
        Ok(Self { members: without_repetitions(members) })
    }

    /// The same with the members of these names only: of an object with millions of others nothing is kept.
    ///
    /// # Errors
    ///
    /// When the text is not JSON to its end, or no object.
    pub fn parse_members(text: &'a str, names: &[&str]) -> Result<Self, JsonObjectError> {
        read(text, NamedMembersVisitor(names)).map(|members| Self { members })
    }

    /// The object that `value` is; `None` when it is something else.
    #[must_use]
    pub fn from_value(value: &'a RawValue) -> Option<Self> {
        value.get().starts_with('{').then(|| Self::parse(value.get()).ok())?
    }

    /// The member's value, as text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, value)| *value)
    }

    /// The member's value, when it is a text.
    #[must_use]
    pub fn get_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }

    /// All members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// The text that a JSON value is; `None` when it is something else.
#[must_use]
pub fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Appends `value` to `output` without blanks, and its texts as UTF-8: escapes that some clients write make
/// a message up to three times as long, and the push services count bytes.
pub fn write_compact(output: &mut Vec<u8>, value: &RawValue) {
    let mut rest = value.get();
    while let Some(next) = rest.find(['"', ' ', '\t', '\n', '\r']) {
        output.extend_from_slice(&rest.as_bytes()[..next]);
        rest = &rest[next..];
        if rest.starts_with('"') {
            let (text, behind) = rest.split_at(end_of_text(rest));
            match text.contains('\\').then(|| serde_json::from_str::<String>(text)) {
                Some(Ok(decoded)) => write_text(output, &decoded),
                // Without escapes, or with half of a surrogate pair, which has no other form.
                None | Some(Err(_)) => output.extend_from_slice(text.as_bytes()),
            }
            rest = behind;
        } else {
            rest = &rest[1..];
        }
    }
    output.extend_from_slice(rest.as_bytes());
}

/// How long the JSON text is that `rest` begins with, its quotes included.
fn end_of_text(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// Appends `value` to `output` as a JSON text.
pub fn write_text(output: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(output, value).expect("writing a text into memory does not fail");
}

fn read<'a, V>(text: &'a str, visitor: V) -> Result<Members<'a>, JsonObjectError>
where
    V: Visitor<'a, Value = Members<'a>>,
{
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer
        .deserialize_map(visitor)
        .and_then(|members| deserializer.end().map(|()| members));
    read.map_err(|_| match serde_json::from_str::<&RawValue>(text) {
        Ok(value) if !value.get().starts_with('{') => JsonObjectError::NotAnObject,
        _ => JsonObjectError::NotJson,
    })
}

struct MembersVisitor;

impl<'a> Visitor<'a> for MembersVisitor {
    type Value = Members<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(FEW_MEMBERS);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

struct NamedMembersVisitor<'n>(&'n [&'n str]);

impl<'a> Visitor<'a> for NamedMembersVisitor<'_> {
    type Value = Members<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Members<'a> = Vec::with_capacity(self.0.len());
        while let Some(Name(name)) = map.next_key()? {
            if !self.0.contains(&name.as_ref()) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value()?;
            match members.iter_mut().find(|(earlier, _)| *earlier == name) {
                Some((_, earlier)) => *earlier = value,
                None => members.push((name, value)),
            }
        }
        Ok(members)
    }
}

/// A member's name: borrowed where it has no escapes, which `Cow` alone does not do.
struct Name<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for Name<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'a> Visitor<'a> for NameVisitor {
            type Value = Name<'a>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

fn without_repetitions(mut members: Members<'_>) -> Members<'_> {
    if members.len() <= FEW_MEMBERS {
        let mut index = 1;
        while index < members.len() {
            let (earlier, rest) = members.split_at_mut(index);
            if let Some(first) = earlier.iter_mut().find(|(name, _)| *name == rest[0].0) {
                first.1 = rest[0].1;
                members.remove(index);
            } else {
                index += 1;
            }
        }
        return members;
    }
    let mut places = HashMap::with_capacity(members.len());
    let mut unique: Members<'_> = Vec::with_capacity(members.len());
    for (name, value) in members {
        match places.get(&name) {
            Some(&place) => {
                let (_, first): &mut (_, &RawValue) = &mut unique[place];
                *first = value;
            }
            None => {
                places.insert(name.clone(), unique.len());
                unique.push((name, value));
            }
        }
    }
    unique
}

#[cfg(test)]
mod tests;
