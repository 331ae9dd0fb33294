//! Lists of rows in an upload: read one row after the other, each an object with typed members.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer as _,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{is_not, not_json};
use crate::{
    clock::Timestamp,
    domain::json_object::{self, JsonObject, JsonObjectError},
    http::ApiError,
};

/// Seconds of the years 1 to 9999: what chat servers, and databases, have dates for.
const DATES: std::ops::Range<f64> = -62_135_596_800.0..253_402_300_800.0;

/// What a row is: a new version has members that nobody here knows, and these are not kept.
pub(in crate::endpoints::server) struct RowForm {
    /// What the reference calls it.
    pub(in crate::endpoints::server) model: &'static str,
    /// The members that are asked for.
    pub(in crate::endpoints::server) members: &'static [&'static str],
}

/// A list's rows, as far as `decode` keeps them; one row at a time is in memory beside what is kept. The first
/// refusal counts, but only of what is JSON to its end.
pub(super) fn decode<'a, T>(
    name: &'static str,
    text: &'a str,
    form: &'static RowForm,
    decode: impl FnMut(&Row<'a>) -> Result<Option<T>, ApiError>,
) -> Result<Vec<T>, ApiError> {
    let mut rows = Rows { name, form, decode, kept: Vec::new(), refusal: None };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer.deserialize_seq(&mut rows).and_then(|()| deserializer.end());
    match (read, rows.refusal) {
        (Ok(()), None) => Ok(rows.kept),
        (Ok(()), Some(refusal)) => Err(refusal),
        (Err(_), _) => Err(is_not(name, "a list", text)),
    }
}

struct Rows<T, F> {
    name: &'static str,
    form: &'static RowForm,
    decode: F,
    kept: Vec<T>,
    refusal: Option<ApiError>,
}

impl<'a, T, F: FnMut(&Row<'a>) -> Result<Option<T>, ApiError>> Visitor<'a> for &mut Rows<T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(row) = list.next_element::<&'a RawValue>()? {
            let decoded = Row::parse(self.name, Some(index), self.form, row)
                .and_then(|row| (self.decode)(&row));
            match decoded {
                Ok(row) => self.kept.extend(row),
                Err(refusal) => {
                    self.refusal = Some(refusal);
                    break;
                }
            }
            index += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// One row; of a repeated member the last value counts.
pub(in crate::endpoints::server) struct Row<'a> {
    members: JsonObject<'a>,
    form: &'static RowForm,
    /// The parameter it is in.
    name: &'static str,
    /// Its place, where the parameter is a list.
    index: Option<usize>,
}

impl<'a> Row<'a> {
    /// The object that a parameter is, and not a list of them.
    pub(in crate::endpoints::server) fn alone(
        name: &'static str,
        form: &'static RowForm,
        text: &'a str,
    ) -> Result<Self, ApiError> {
        let object = serde_json::from_str(text).map_err(|_| not_json(name))?;
        Self::parse(name, None, form, object)
    }

    fn parse(
        name: &'static str,
        index: Option<usize>,
        form: &'static RowForm,
        row: &'a RawValue,
    ) -> Result<Self, ApiError> {
        let members = JsonObject::parse_members(row.get(), form.members);
        let members = members.map_err(|error| match error {
            JsonObjectError::NotJson => not_json(name),
            JsonObjectError::NotAnObject => ApiError::Invalid(
                format!(
                    "Invalid {}: Input should be a valid dictionary or instance of {}",
                    place(name, index),
                    form.model
                )
                .into(),
            ),
        })?;
        Ok(Self { members, form, name, index })
    }

    /// A member's value as JSON, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        debug_assert!(self.form.members.contains(&name), "`{name}` was not kept");
        self.members.get(name)
    }

    /// The same of a member that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&'a RawValue, ApiError> {
        self.get(name).ok_or_else(|| {
            ApiError::invalid(format!("{} field is missing: Field required", self.path(name)))
        })
    }

    pub(super) fn integer(&self, name: &str) -> Result<i64, ApiError> {
        self.typed(name, self.required(name)?, "an integer")
    }

    pub(super) fn boolean(&self, name: &str) -> Result<bool, ApiError> {
        self.typed(name, self.required(name)?, "a boolean")
    }

    /// Unix seconds with a fraction.
    pub(super) fn seconds(&self, name: &str) -> Result<f64, ApiError> {
        self.typed(name, self.required(name)?, "a float")
    }

    /// A text as it is meant; `None` when it has no meaning, as half a surrogate pair.
    pub(in crate::endpoints::server) fn text(
        &self,
        name: &str,
    ) -> Result<Option<Cow<'a, str>>, ApiError> {
        let value = self.required(name)?;
        if !value.get().starts_with('"') {
            return Err(self.is_not(name, "a string"));
        }
        Ok(json_object::text(value))
    }

    /// The value, which must be of type `T`.
    pub(super) fn typed<T: DeserializeOwned>(
        &self,
        name: &str,
        value: &RawValue,
        what: &str,
    ) -> Result<T, ApiError> {
        serde_json::from_str(value.get()).map_err(|_| self.is_not(name, what))
    }

    pub(in crate::endpoints::server) fn is_not(&self, name: &str, what: &str) -> ApiError {
        ApiError::invalid(format!("{} is not {what}", self.path(name)))
    }

    /// A refusal of a member, with the reason in the words of the reference.
    pub(super) fn invalid(&self, name: &str, reason: &str) -> ApiError {
        ApiError::invalid(format!("Invalid {}: {reason}", self.path(name)))
    }

    fn path(&self, name: &str) -> String {
        format!("{}[\"{name}\"]", place(self.name, self.index))
    }
}

fn place(name: &str, index: Option<usize>) -> String {
    index.map_or_else(|| name.to_owned(), |index| format!("{name}[{index}]"))
}

/// The moment; `None` when no calendar has it.
pub(super) fn moment(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is that of dates")]
    DATES.contains(&seconds).then(|| Timestamp::from_unix_millis((seconds * 1000.0).round() as i64))
}
