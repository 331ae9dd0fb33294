//! The members `realm_counts` and `installation_counts` of an upload.
//!
//! Wrong types are refused. A row whose values cannot be kept is left out: to refuse the upload would
//! switch push off for every realm of that server.

use super::{
    rows::{self, Row, RowForm, moment},
    storable,
};
use crate::{
    domain::statistics::{Count, CountProperty, RealmCount},
    http::ApiError,
};

/// A longer subgroup is cut.
const MAX_SUBGROUP_LENGTH: usize = 16;

const OF_REALM: RowForm = RowForm {
    model: "RealmCountDataForAnalytics",
    members: &["property", "realm", "id", "end_time", "subgroup", "value"],
};

const OF_INSTALLATION: RowForm = RowForm {
    model: "InstallationCountDataForAnalytics",
    members: &["property", "id", "end_time", "subgroup", "value"],
};

/// The rows of `realm_counts` that can be kept.
pub(super) fn of_realms(text: &str) -> Result<Vec<RealmCount>, ApiError> {
    rows::decode("realm_counts", text, &OF_REALM, |row| {
        let property = property(row)?;
        let realm_id = row.integer("realm")?;
        Ok(count(row, property)?.map(|count| RealmCount { realm_id, count }))
    })
}

/// The rows of `installation_counts` that can be kept.
pub(super) fn of_installation(text: &str) -> Result<Vec<Count>, ApiError> {
    rows::decode("installation_counts", text, &OF_INSTALLATION, |row| {
        let property = property(row)?;
        count(row, property)
    })
}

/// What was counted; `None` when that is not kept.
fn property(row: &Row<'_>) -> Result<Option<CountProperty>, ApiError> {
    Ok(row.text("property")?.and_then(|name| CountProperty::from_name(&name)))
}

fn count(row: &Row<'_>, property: Option<CountProperty>) -> Result<Option<Count>, ApiError> {
    let remote_id = row.integer("id")?;
    let end_time = moment(row.seconds("end_time")?);
    let subgroup = match row.required("subgroup")?.get() {
        "null" => Some("".into()),
        _ => row.text("subgroup")?.map(|text| storable(&text, MAX_SUBGROUP_LENGTH).into()),
    };
    let value = row.integer("value")?;
    let (Some(property), Some(end_time), Some(subgroup)) = (property, end_time, subgroup) else {
        return Ok(None);
    };
    Ok(Some(Count { remote_id, property, subgroup, end_time, value }))
}
