//! The member `realms` of an upload: a list of what a server says of its organizations.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::{is_not, not_json, storable};
use crate::{
    clock::Timestamp,
    domain::{
        json_object::{JsonObject, JsonObjectError},
        remote_realm::RealmDescription,
        uuid_text,
    },
    http::ApiError,
};

/// The realms in a JSON list; unknown members of a realm are ignored, since newer servers have more.
pub(super) fn decode(text: &str) -> Result<Vec<RealmDescription>, ApiError> {
    let realms: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| is_not("realms", "a list", text))?;
    realms
        .into_iter()
        .enumerate()
        .map(|(index, realm)| Realm::parse(index, realm)?.describe())
        .collect()
}

struct Realm<'a> {
    members: JsonObject<'a>,
    index: usize,
}

impl<'a> Realm<'a> {
    fn parse(index: usize, realm: &'a RawValue) -> Result<Self, ApiError> {
        let members = JsonObject::parse(realm.get()).map_err(|error| match error {
            JsonObjectError::NotJson => not_json("realms"),
            JsonObjectError::NotAnObject => ApiError::Invalid(
                format!("Invalid realms[{index}]: Input should be a valid dictionary or instance of RealmDataForAnalytics").into(),
            ),
        })?;
        Ok(Self { members, index })
    }

    fn describe(&self) -> Result<RealmDescription, ApiError> {
        let realm_id = self.required("id", "an integer")?;
        let host: String = self.required("host", "a string")?;
        let name: String = self.optional("name", "a string")?.unwrap_or_default();
        let org_type: i64 = self.optional("org_type", "an integer")?.unwrap_or(0);
        let date_created: f64 = self.required("date_created", "a float")?;
        let deactivated = self.required("deactivated", "a boolean")?;
        let is_system_bot_realm =
            self.optional("is_system_bot_realm", "a boolean")?.unwrap_or(false);
        let methods = self.members.get("authentication_methods").map_or("{}", RawValue::get);
        if !methods.starts_with('{') {
            return Err(self.is_not("authentication_methods", "a dict"));
        }
        let uuid: String = self.required("uuid", "a string")?;
        self.required::<IgnoredAny>("uuid_owner_secret", "a string")?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a date beyond 64 bits becomes the last one"
        )]
        let date_created = Timestamp::from_unix_millis((date_created * 1000.0) as i64);
        Ok(RealmDescription {
            uuid: uuid_text::parse(&uuid).ok_or_else(|| ApiError::invalid("Invalid UUID"))?,
            realm_id,
            host: storable(&host, usize::MAX),
            name: storable(&name, usize::MAX),
            org_type: i32::try_from(org_type).unwrap_or(0),
            authentication_methods: methods.to_owned(),
            is_system_bot_realm,
            deactivated,
            date_created,
        })
    }

    fn required<T: DeserializeOwned>(&self, name: &str, what: &str) -> Result<T, ApiError> {
        let index = self.index;
        self.optional(name, what)?.ok_or_else(|| {
            let text = format!("realms[{index}][\"{name}\"] field is missing: Field required");
            ApiError::Invalid(text.into())
        })
    }

    fn optional<T: DeserializeOwned>(&self, name: &str, what: &str) -> Result<Option<T>, ApiError> {
        let Some(value) = self.members.get(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map(Some).map_err(|_| self.is_not(name, what))
    }

    fn is_not(&self, name: &str, what: &str) -> ApiError {
        ApiError::Invalid(format!("realms[{}][\"{name}\"] is not {what}", self.index).into())
    }
}
