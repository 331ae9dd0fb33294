//! The member `realmauditlog_rows` of an upload.

use serde_json::value::RawValue;

use super::rows::{self, Row, RowForm, moment};
use crate::{
    domain::{
        json_object::{JsonObject, JsonObjectError, text, write_compact},
        statistics::{RealmAuditRow, RealmEvent, user_count},
    },
    http::ApiError,
};

/// Longer `extra_data` is no row's, and not looked into; real ones have a few hundred bytes.
const MAX_EXTRA_DATA_BYTES: usize = 64 * 1024;

/// So long is a byte of a text at most, where it is escaped in JSON.
const ESCAPED_BYTES: usize = 6;

const FORM: RowForm = RowForm {
    model: "RealmAuditLogDataForAnalytics",
    members: &["id", "realm", "event_time", "backfilled", "extra_data", "event_type"],
};

/// What the rows are.
#[derive(Default)]
pub(super) struct AuditRows {
    /// Those that can be kept.
    pub(super) kept: Vec<RealmAuditRow>,
    /// Whether the `extra_data` of one is a text that is no JSON: the upload is refused, after what is wrong
    /// with the form of it.
    pub(super) are_malformed: bool,
}

/// Why a row is not kept.
enum Odd {
    /// It is left out.
    Row,
    /// The upload is refused.
    Malformed,
}

/// The rows that can be kept: of the events that servers upload, with the users by role or with nothing.
pub(super) fn decode(text: &str) -> Result<AuditRows, ApiError> {
    let mut are_malformed = false;
    let kept = rows::decode("realmauditlog_rows", text, &FORM, |row| {
        let remote_id = row.integer("id")?;
        let realm_id = row.integer("realm")?;
        let event_time = moment(row.seconds("event_time")?);
        let backfilled = row.boolean("backfilled")?;
        let extra_data = typed_extra_data(row)?;
        let event = RealmEvent::from_number(row.integer("event_type")?);
        let (Some(event), Some(event_time)) = (event, event_time) else { return Ok(None) };
        let (extra_data, user_count) = match parse(extra_data) {
            Ok(parsed) => parsed,
            Err(odd) => {
                are_malformed |= matches!(odd, Odd::Malformed);
                return Ok(None);
            }
        };
        let row = RealmAuditRow {
            remote_id,
            realm_id,
            event,
            event_time,
            backfilled,
            extra_data,
            user_count,
        };
        Ok(Some(row))
    })?;
    Ok(AuditRows { kept, are_malformed })
}

/// A text, an object or null.
fn typed_extra_data<'a>(row: &Row<'a>) -> Result<&'a RawValue, ApiError> {
    let value = row.required("extra_data")?;
    match value.get().as_bytes().first() {
        Some(b'"' | b'{' | b'n') => Ok(value),
        _ => Err(row.is_not("extra_data", "a string")),
    }
}

/// The object in compact form, and the users it tells of. Older servers send it as JSON in a text.
///
/// However deep the object is nested, nothing here recurses.
fn parse(extra_data: &RawValue) -> Result<(Box<str>, Option<i64>), Odd> {
    if extra_data.get() == "null" {
        return Ok(("{}".into(), None));
    }
    if extra_data.get().starts_with('{') {
        return object(extra_data.get());
    }
    if extra_data.get().len() > ESCAPED_BYTES * MAX_EXTRA_DATA_BYTES {
        return Err(Odd::Row);
    }
    // Half a surrogate pair is no text, and no JSON either.
    object(&text(extra_data).ok_or(Odd::Row)?)
}

fn object(extra_data: &str) -> Result<(Box<str>, Option<i64>), Odd> {
    if extra_data.len() > MAX_EXTRA_DATA_BYTES {
        return Err(Odd::Row);
    }
    let object = JsonObject::parse(extra_data).map_err(|error| match error {
        JsonObjectError::NotJson => Odd::Malformed,
        JsonObjectError::NotAnObject => Odd::Row,
    })?;
    let user_count = user_count(&object).map_err(|_| Odd::Row)?;
    let mut compact = Vec::with_capacity(extra_data.len());
    write_compact(&mut compact, serde_json::from_str(extra_data).map_err(|_| Odd::Malformed)?);
    let compact = String::from_utf8(compact).expect("compact JSON is UTF-8 as what it was made of");
    Ok((compact.into(), user_count))
}
