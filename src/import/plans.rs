//! Plans of servers and realms at the source.
//!
//! A plan counts there while a row of `corporate_customerplan` has a status below 10; without one only the plan for
//! communities means anything (protocol, section 8).

use super::{
    row::SourceRow,
    schema::{Schema, Selection},
};
use crate::domain::plan::{COMMUNITY, Plan, PlanStatus};

const CUSTOMERS: &str = "corporate_customer";
const PLANS: &str = "corporate_customerplan";

/// Zulip's numbers for types of plans.
const COMMUNITY_TYPE: i32 = 102;

/// Adds what tells the plan of a server or realm; `customer_of` is the column of customers that names it.
pub(super) fn select(selection: Selection, schema: &Schema, customer_of: &str) -> Selection {
    let is_there = schema.has(PLANS, "customer_id")
        && schema.has(PLANS, "status")
        && schema.has(CUSTOMERS, customer_of);
    let live = |what: &str| {
        if !is_there {
            return "NULL::text".to_owned();
        }
        format!(
            "(SELECT ({what})::text FROM {customers} c JOIN {plans} p ON p.customer_id = c.id
              WHERE c.{customer_of} = t.id AND p.status < 10 ORDER BY p.id DESC LIMIT 1)",
            customers = schema.table(CUSTOMERS),
            plans = schema.table(PLANS),
        )
    };
    let end = format!(
        "coalesce({}, {})",
        schema.moment("p", PLANS, "end_date"),
        schema.moment("p", PLANS, "next_invoice_date")
    );
    let selection = selection.field("plan_status", live("p.status"));
    let selection = selection.field("plan_end", live(&end));
    selection.field("has_plans", format!("'{is_there}'"))
}

/// The plan of a row, if it has one.
pub(super) fn plan(row: &SourceRow) -> Option<Plan> {
    let name = match row.small_number("plan_type")? {
        COMMUNITY_TYPE => COMMUNITY,
        101 => "legacy",
        103 => "basic",
        104 => "business",
        105 => "enterprise",
        // Self-managed, with or without a paid plan beside it.
        _ => "self-managed",
    };
    let status = match (row.small_number("plan_status"), row.flag("has_plans")) {
        // Ends with its cycle, or with its free trial.
        (Some(2 | 7), _) => PlanStatus::Ending,
        (Some(_), _) => PlanStatus::Active,
        (None, _) if name == COMMUNITY => PlanStatus::Active,
        // Nobody keeps the books there: the type is all there is.
        (None, false) if name != "self-managed" => PlanStatus::Active,
        (None, _) => return None,
    };
    let ends_at = (status == PlanStatus::Ending).then(|| row.moment("plan_end")).flatten();
    Some(Plan { name: name.to_owned(), status, ends_at, user_limit: None })
}
