//! The body of an endpoint that takes JSON, read member by member with Zulip's words for what is wrong.

use std::borrow::Cow;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::ApiError;
use crate::domain::{
    json_object::{JsonObject, JsonObjectError, text},
    uuid_text,
};

/// A JSON body, or an object in one. It does not print itself: it holds messages.
pub struct Document<'a> {
    object: JsonObject<'a>,
    /// What Zulip calls the place of it.
    path: Cow<'static, str>,
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
        Ok(Self { object, path: Cow::Borrowed("request") })
    }

    /// The member, a number or null, if it is there.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn optional_integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.present(name).map(|value| self.integer(name, value)).transpose()
    }

    /// The member, a number.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_integer(&self, name: &str) -> Result<i64, ApiError> {
        self.integer(name, self.required(name)?)
    }

    /// The member, a text.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_text(&self, name: &str) -> Result<Cow<'a, str>, ApiError> {
        text(self.required(name)?).ok_or_else(|| self.is_not(name, "a string"))
    }

    /// The member, a text or null, if it is there.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn optional_text(&self, name: &str) -> Result<Option<Cow<'a, str>>, ApiError> {
        let text = |value| text(value).ok_or_else(|| self.is_not(name, "a string"));
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
            Some(_) => Err(self.is_not(name, "a dict")),
        }
    }

    /// The member, an object.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_object(&self, name: &str) -> Result<JsonObject<'a>, ApiError> {
        JsonObject::from_value(self.required(name)?).ok_or_else(|| self.is_not(name, "a dict"))
    }

    /// The member, a list of texts; empty when it is missing.
    ///
    /// # Errors
    ///
    /// When it is something else, or has something else in it.
    pub fn texts_or_empty(&self, name: &str) -> Result<Vec<Cow<'a, str>>, ApiError> {
        let Some(value) = self.object.get(name) else { return Ok(Vec::new()) };
        let items: Vec<&RawValue> =
            serde_json::from_str(value.get()).map_err(|_| self.is_not(name, "a list"))?;
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                text(item).ok_or_else(|| {
                    ApiError::Invalid(
                        format!("{}[\"{name}\"][{index}] is not a string", self.path).into(),
                    )
                })
            })
            .collect()
    }

    /// The member, an object, as text.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_raw_object(&self, name: &str) -> Result<&'a RawValue, ApiError> {
        let value = self.required(name)?;
        if value.get().starts_with('{') { Ok(value) } else { Err(self.is_not(name, "a dict")) }
    }

    /// The member, an object, to be read member by member.
    ///
    /// # Errors
    ///
    /// When it is missing or something else.
    pub fn required_document(&self, name: &str) -> Result<Self, ApiError> {
        let object = self.required_object(name)?;
        Ok(Self { object, path: format!("{}[\"{name}\"]", self.path).into() })
    }

    /// The member, a list of objects, each to be read member by member.
    ///
    /// # Errors
    ///
    /// When it is missing or something else, or has something else in it.
    pub fn required_documents(&self, name: &str) -> Result<Vec<Self>, ApiError> {
        let items: Vec<&RawValue> = serde_json::from_str(self.required(name)?.get())
            .map_err(|_| self.is_not(name, "a list"))?;
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{}[\"{name}\"][{index}]", self.path);
                match JsonObject::from_value(item) {
                    Some(object) => Ok(Self { object, path: path.into() }),
                    None => Err(ApiError::Invalid(format!("{path} is not a dict").into())),
                }
            })
            .collect()
    }

    /// Whether the member is there, and not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.present(name).is_some()
    }

    /// That the member is there and of the right type, and yet none of what it may be.
    #[must_use]
    pub fn not_one_of(&self, name: &str, expected: &str) -> ApiError {
        let path = &self.path;
        ApiError::Invalid(format!("Invalid {path}[\"{name}\"]: Input should be {expected}").into())
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
                format!("Argument \"{name}\" at {}[\"{name}\"] is unexpected", self.path).into(),
            )),
        }
    }

    fn integer(&self, name: &str, value: &RawValue) -> Result<i64, ApiError> {
        serde_json::from_str(value.get()).map_err(|_| self.is_not(name, "an integer"))
    }

    fn is_not(&self, name: &str, what: &str) -> ApiError {
        ApiError::Invalid(format!("{}[\"{name}\"] is not {what}", self.path).into())
    }

    fn present(&self, name: &str) -> Option<&'a RawValue> {
        self.object.get(name).filter(|value| value.get() != "null")
    }

    fn required(&self, name: &str) -> Result<&'a RawValue, ApiError> {
        self.object.get(name).ok_or_else(|| {
            ApiError::Invalid(
                format!("{}[\"{name}\"] field is missing: Field required", self.path).into(),
            )
        })
    }
}

/// The UUID in a text that a document holds; texts are judged when all members have the right type.
///
/// # Errors
///
/// When it is none.
pub fn parse_uuid(text: &str) -> Result<Uuid, ApiError> {
    uuid_text::parse(text).ok_or_else(|| ApiError::invalid("Invalid UUID"))
}

fn empty_object() -> &'static RawValue {
    serde_json::from_str("{}").expect("an empty object is JSON")
}
