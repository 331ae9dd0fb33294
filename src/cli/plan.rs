//! The arguments that describe a plan, and how a plan is told.

use clap::ValueEnum;
use serde::Serialize;

use super::{
    error::{CommandError, exit},
    moment::{self, utc},
    output::Output,
};
use crate::{
    clock::{Clock, Timestamp},
    config::EntitlementRule,
    domain::plan::{COMMUNITY, Plan, PlanStatus},
};

/// The word that takes a plan away.
const NONE: &str = "none";

/// The longest name of a plan, in characters.
const MAX_NAME_LENGTH: usize = 64;

/// A plan, as an operator describes it.
#[derive(clap::Args)]
pub(super) struct PlanArguments {
    /// The plan's name: any word; `community` is for everybody, `none` takes the plan away
    name: String,
    /// Where it stands; without this, ending when an end is given, else active
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// When it ends: a day such as 2027-12-01 (its beginning, UTC), or a moment as RFC 3339 writes it
    #[arg(long, value_name = "DATE", value_parser = moment::parse)]
    ends: Option<Timestamp>,
    /// For how many users it is, where the policy is `plans`
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    users: Option<i64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Status {
    /// It goes on
    Active,
    /// It goes on until its end
    Ending,
    /// It is over
    Ended,
}

/// A plan, as a command tells it.
#[derive(Serialize)]
pub(super) struct ToldPlan {
    name: String,
    status: &'static str,
    ends: Option<String>,
    users: Option<i64>,
}

impl PlanArguments {
    /// The plan; none when it is to be taken away.
    pub(super) fn plan(&self) -> Result<Option<Plan>, CommandError> {
        let refuse = |text: &str| Err(CommandError::told(exit::REFUSED, text.to_owned()));
        if self.name == NONE {
            if self.status.is_some() || self.ends.is_some() || self.users.is_some() {
                return refuse("`none` takes the plan away: there is nothing to say of it");
            }
            return Ok(None);
        }
        let is_seen = !self.name.chars().any(char::is_control);
        if self.name.is_empty() || self.name.chars().count() > MAX_NAME_LENGTH || !is_seen {
            return refuse("a plan's name has 1 to 64 characters, and no control characters");
        }
        if self.ends.is_some_and(|ends| ends < Clock::default().now()) {
            return refuse("`--ends` is in the past");
        }
        let status = match (self.status, self.ends) {
            (Some(Status::Active), _) | (None, None) => PlanStatus::Active,
            (Some(Status::Ending) | None, Some(_)) => PlanStatus::Ending,
            (Some(Status::Ending), None) => return refuse("a plan that is ending needs `--ends`"),
            (Some(Status::Ended), _) => PlanStatus::Ended,
        };
        if self.name == COMMUNITY && self.users.is_some() {
            return refuse("the plan `community` is for any number of users");
        }
        let Self { name, ends, users, .. } = self;
        Ok(Some(Plan { name: name.clone(), status, ends_at: *ends, user_limit: *users }))
    }
}

/// Says to the person at the terminal what of a plan does not count under the policy of this bouncer.
pub(super) fn warn_of_policy(plan: Option<&Plan>, policy: EntitlementRule, output: Output) {
    let Some(plan) = plan else { return };
    match (policy, plan.user_limit) {
        (EntitlementRule::Always, _) => output.talk(
            "`entitlement.policy` is `always`: the plan changes nothing about pushes until it is another.",
        ),
        (EntitlementRule::UserLimit, Some(_)) => output.talk(
            "`entitlement.policy` is `user-limit`: the number of users changes nothing about pushes until it is \
             `plans`.",
        ),
        (EntitlementRule::UserLimit, None) | (EntitlementRule::Plans, _) => {}
    }
}

impl ToldPlan {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            name: plan.name.clone(),
            status: plan.status.as_str(),
            ends: plan.ends_at.map(utc),
            users: plan.user_limit,
        }
    }
}

/// A plan in words, such as `business, ending 2027-12-01T00:00:00Z, for 500 users`.
pub(super) fn words(plan: Option<&Plan>) -> String {
    let Some(plan) = plan else { return "no plan".to_owned() };
    let mut words = format!("{}, {}", plan.name, plan.status.as_str());
    if let Some(ends_at) = plan.ends_at {
        words.push(' ');
        words.push_str(&utc(ends_at));
    }
    if let Some(users) = plan.user_limit {
        words.push_str(&format!(", for {users} users"));
    }
    words
}
