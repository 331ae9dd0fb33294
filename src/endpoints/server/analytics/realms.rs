//! The member `realms` of an upload: a list of what a server says of its organizations.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use uuid::Version;

use super::{
    rows::{self, Row, RowForm},
    storable,
};
use crate::{
    clock::Timestamp,
    domain::{remote_realm::RealmDescription, uuid_text},
    http::ApiError,
};

/// Zulip's numbers for kinds of organizations.
const ORG_TYPES: [i64; 13] = [0, 10, 20, 30, 35, 40, 50, 60, 70, 80, 90, 100, 1000];

const FORM: RowForm = RowForm {
    model: "RealmDataForAnalytics",
    members: &[
        "id",
        "host",
        "url",
        "name",
        "org_type",
        "date_created",
        "deactivated",
        "is_system_bot_realm",
        "authentication_methods",
        "uuid",
        "uuid_owner_secret",
    ],
};

/// The realms in a JSON list; unknown members of a realm are ignored, since newer servers have more.
pub(super) fn decode(text: &str) -> Result<Vec<RealmDescription>, ApiError> {
    rows::decode("realms", text, &FORM, |row| describe(row).map(Some))
}

/// The one realm that is the parameter `realm`.
pub(in crate::endpoints::server) fn decode_one(text: &str) -> Result<RealmDescription, ApiError> {
    describe(&Row::alone("realm", &FORM, text)?)
}

fn describe(row: &Row<'_>) -> Result<RealmDescription, ApiError> {
    let realm_id = row.integer("id")?;
    let host = text(row, "host")?;
    text(row, "url")?;
    let name = row.get("name").map(|_| text(row, "name")).transpose()?.unwrap_or_default();
    let org_type: i64 = optional(row, "org_type", "an integer")?;
    if !ORG_TYPES.contains(&org_type) {
        return Err(row.invalid("org_type", "Value error, Not a valid org_type value"));
    }
    let date_created = row.seconds("date_created")?;
    let deactivated = row.boolean("deactivated")?;
    let is_system_bot_realm = optional(row, "is_system_bot_realm", "a boolean")?;
    let uuid = text(row, "uuid")?;
    text(row, "uuid_owner_secret")?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a date beyond 64 bits becomes the last one"
    )]
    let date_created = Timestamp::from_unix_millis((date_created * 1000.0).round() as i64);
    Ok(RealmDescription {
        uuid: uuid_text::parse(&uuid)
            .filter(|uuid| uuid.get_version() == Some(Version::Random))
            .ok_or_else(|| ApiError::invalid("Invalid UUID"))?,
        realm_id,
        host,
        name,
        org_type: i32::try_from(org_type).expect("every kind of organization has a small number"),
        authentication_methods: authentication_methods(row)?,
        is_system_bot_realm,
        deactivated,
        date_created,
    })
}

/// The methods in one order, so that only a change is a change.
fn authentication_methods(row: &Row<'_>) -> Result<String, ApiError> {
    let methods: BTreeMap<String, bool> = optional(row, "authentication_methods", "a dict")?;
    Ok(serde_json::to_string(&methods).expect("names and truth values can be written as JSON"))
}

fn text(row: &Row<'_>, name: &str) -> Result<String, ApiError> {
    let text = row.text(name)?.ok_or_else(|| row.is_not(name, "a string"))?;
    Ok(storable(&text, usize::MAX))
}

/// A member that has a value even when it is not there.
fn optional<T: DeserializeOwned + Default>(
    row: &Row<'_>,
    name: &str,
    what: &str,
) -> Result<T, ApiError> {
    row.get(name).map_or_else(|| Ok(T::default()), |value| row.typed(name, value, what))
}
