//! The member `realms` of an upload: a list of what a server says of its organizations.

mod methods;

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use uuid::Version;

use methods::Methods;

use super::{
    rows::{self, Row, RowForm},
    storable,
};
use crate::{
    clock::Timestamp,
    domain::{remote_realm::RealmDescription, uuid_text},
    http::ApiError,
};

/// Longer hosts are cut: a name has at most 253 characters, and its port six.
const MAX_HOST_LENGTH: usize = 260;

/// Longer names are cut; chat servers take 40 characters.
const MAX_NAME_LENGTH: usize = 400;

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
    let host = storable(&text(row, "host")?, MAX_HOST_LENGTH);
    text(row, "url")?;
    let name = row.get("name").map(|_| text(row, "name")).transpose()?.unwrap_or_default();
    let name = storable(&name, MAX_NAME_LENGTH);
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
        authentication_methods: optional::<Methods>(row, "authentication_methods", "a dict")?
            .to_json(),
        is_system_bot_realm,
        deactivated,
        date_created,
    })
}

fn text<'a>(row: &Row<'a>, name: &str) -> Result<Cow<'a, str>, ApiError> {
    row.text(name)?.ok_or_else(|| row.is_not(name, "a string"))
}

/// A member that has a value even when it is not there.
fn optional<T: DeserializeOwned + Default>(
    row: &Row<'_>,
    name: &str,
    what: &str,
) -> Result<T, ApiError> {
    row.get(name).map_or_else(|| Ok(T::default()), |value| row.typed(name, value, what))
}
