//! Plans of servers and realms, as their rows hold them.

use crate::{
    clock::Timestamp,
    domain::plan::{Plan, PlanStatus},
};

/// The plan in a row's columns; a row without a name has none.
pub(super) fn plan(
    name: Option<String>,
    status: Option<i16>,
    ends_at: Option<i64>,
    user_limit: Option<i64>,
) -> Option<Plan> {
    Some(Plan {
        name: name?,
        status: PlanStatus::from_number(status?),
        ends_at: ends_at.map(Timestamp::from_unix_millis),
        user_limit,
    })
}
