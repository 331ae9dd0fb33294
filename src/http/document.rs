//! The body of an endpoint that takes JSON, read member by member with Zulip's words for what is wrong.

use std::borrow::Cow;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::ApiError;
use crate::domain::{
    json_object::{JsonObject, JsonObjectError, text},
    uuid_text,
};

/// A JSON body. It does not print itself: it holds messages.
pub struct Document<'a> {
    object: JsonObject<'a>,
}

impl<'a> Document<'a> {
    /// The object that a body is; `name` is what the reference calls the kind of object.
    ///
    /// # Errors
    ///
    /// When the body is not UTF-8, not JSON or no object.
    pub fn parse(body: &'a [u8], name: &str) -> Result<Self, ApiError> {
        let body = std::str::from_utf8(body).map_err(|_| ApiError::MalformedPayload)?;
        let object = JsonObject::parse(body).map_err(|error| match error {
            JsonObjectError::NotJson => ApiError::MalformedJson,
            JsonObjectError::NotAnObject => ApiError::Invalid(
                format!(
                    "Invalid request: Input should be a valid dictionary or instance of {name}"
                )
                .into(),
            ),
        })?;
        Ok(Self { object })
    }

    /// The member, a number or null, if it is there.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn optional_integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.present(name).map(|value| integer(name, value)).transpose()
    }

    /// The member, a number.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_integer(&self, name: &str) -> Result<i64, ApiError> {
        integer(name, self.required(name)?)
    }

    /// The member, a text.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_text(&self, name: &str) -> Result<Cow<'a, str>, ApiError> {
        text(self.required(name)?).ok_or_else(|| is_not(name, "a string"))
    }

    /// The member, a text or null, if it is there.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn optional_text(&self, name: &str) -> Result<Option<Cow<'a, str>>, ApiError> {
        let text = |value| text(value).ok_or_else(|| is_not(name, "a string"));
        self.present(name).map(text).transpose()
    }

    /// The member, an object, as text; an empty object when it is missing.
    ///
    /// # Errors
    ///
    /// When it is something else, null included.
    pub fn object_or_empty(&self, name: &str) -> Result<&'a RawValue, ApiError> {
        match self.object.get(name) {
            None => Ok(empty_object()),
            Some(value) if value.get().starts_with('{') => Ok(value),
            Some(_) => Err(is_not(name, "a dict")),
        }
    }

    /// The member, an object.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_object(&self, name: &str) -> Result<JsonObject<'a>, ApiError> {
        JsonObject::from_value(self.required(name)?).ok_or_else(|| is_not(name, "a dict"))
    }

    /// The member, a list of texts; empty when it is missing.
    ///
    /// # Errors
    ///
    /// When it is something else, or has something else in it.
    pub fn texts_or_empty(&self, name: &str) -> Result<Vec<Cow<'a, str>>, ApiError> {
        let Some(value) = self.object.get(name) else { return Ok(Vec::new()) };
        let items: Vec<&RawValue> =
            serde_json::from_str(value.get()).map_err(|_| is_not(name, "a list"))?;
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                text(item).ok_or_else(|| {
                    ApiError::Invalid(
                        format!("request[\"{name}\"][{index}] is not a string").into(),
                    )
                })
            })
            .collect()
    }

    /// Refuses members with other names than these.
    ///
    /// # Errors
    ///
    /// When there is one.
    pub fn only(&self, names: &[&str]) -> Result<(), ApiError> {
        match self.object.iter().find(|(name, _)| !names.contains(name)) {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::Invalid(
                format!("Argument \"{name}\" at request[\"{name}\"] is unexpected").into(),
            )),
        }
    }

    fn present(&self, name: &str) -> Option<&'a RawValue> {
        self.object.get(name).filter(|value| value.get() != "null")
    }

    fn required(&self, name: &str) -> Result<&'a RawValue, ApiError> {
        self.object.get(name).ok_or_else(|| {
            ApiError::Invalid(
                format!("request[\"{name}\"] field is missing: Field required").into(),
            )
        })
    }
}

fn integer(name: &str, value: &RawValue) -> Result<i64, ApiError> {
    serde_json::from_str(value.get()).map_err(|_| is_not(name, "an integer"))
}

/// The UUID in a text that a document holds; texts are judged when all members have the right type.
///
/// # Errors
///
/// When it is none.
pub fn parse_uuid(text: &str) -> Result<Uuid, ApiError> {
    uuid_text::parse(text).ok_or_else(|| ApiError::invalid("Invalid UUID"))
}

fn is_not(name: &str, what: &str) -> ApiError {
    ApiError::Invalid(format!("request[\"{name}\"] is not {what}").into())
}

fn empty_object() -> &'static RawValue {
    serde_json::from_str("{}").expect("an empty object is JSON")
}
