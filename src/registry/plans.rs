//! Plans of servers and realms, as their rows hold them.

use entities::{remote_realms, remote_servers};

use crate::{
    clock::Timestamp,
    domain::plan::{Plan, PlanStatus},
};

/// Name, status, end and limit of users.
type Columns = (Option<String>, Option<i16>, Option<i64>, Option<i64>);

/// The plan in a server's row.
pub(super) fn of_server(row: &remote_servers::Model) -> Option<Plan> {
    plan((row.plan_name.clone(), row.plan_status, row.plan_ends_at, row.plan_user_limit))
}

/// The plan in a realm's row.
pub(super) fn of_realm(row: &remote_realms::Model) -> Option<Plan> {
    plan((row.plan_name.clone(), row.plan_status, row.plan_ends_at, row.plan_user_limit))
}

fn plan((name, status, ends_at, user_limit): Columns) -> Option<Plan> {
    Some(Plan {
        name: name?,
        status: PlanStatus::from_number(status?),
        ends_at: ends_at.map(Timestamp::from_unix_millis),
        user_limit,
    })
}

/// What a row holds of a plan, or of none.
pub(super) fn columns(plan: Option<&Plan>) -> Columns {
    match plan {
        None => (None, None, None, None),
        Some(Plan { name, status, ends_at, user_limit }) => (
            Some(name.clone()),
            Some(status.number()),
            ends_at.map(Timestamp::unix_millis),
            *user_limit,
        ),
    }
}
