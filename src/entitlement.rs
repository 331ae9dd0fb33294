//! May this server or realm push, and until when?
//!
//! Decided from what authentication and the search for the realm have read already: a request costs no
//! query for it, and what another process changes counts when those answers are read anew, within a second.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{
    clock::{Clock, Timestamp},
    config::{EntitlementConfig, EntitlementRule},
    domain::{
        plan::{Plan, PlanStatus},
        remote_realm::RemoteRealm,
        remote_server::RemoteServer,
    },
};

/// The number of users is known if audit rows were uploaded within this time (protocol, section 8).
const USER_COUNT_LIFE: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// May a server or realm push?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Whether it may.
    pub can_push: bool,
    /// When that ends, if it is known to end.
    pub expected_end: Option<Timestamp>,
    /// Why it is so; chat servers log it.
    pub reason: Cow<'static, str>,
}

/// The rule by which servers and realms may push; clones share it.
#[derive(Clone)]
pub struct EntitlementPolicy {
    rule: EntitlementRule,
    free_users: i64,
    too_many_users: Arc<str>,
    clock: Clock,
}

impl EntitlementPolicy {
    /// The policy that these settings describe.
    #[must_use]
    pub fn new(config: &EntitlementConfig, clock: Clock) -> Self {
        Self {
            rule: config.policy,
            free_users: config.free_users.into(),
            too_many_users: too_many_users(config).into(),
            clock,
        }
    }

    /// What a realm may do, or a server of which no realm is named.
    #[must_use]
    pub fn decide(&self, server: &RemoteServer, realm: Option<&RemoteRealm>) -> Entitlement {
        if !server.approved {
            return Entitlement::no("The registration waits for the operator's approval");
        }
        if self.rule == EntitlementRule::Always {
            return Entitlement::yes("Everybody may push");
        }
        let now = self.clock.now();
        let users = Users::of(server, realm, now);
        let live = |plan: &&Plan| plan.is_live(now) && self.covers(plan, users);
        let of_realm = realm.and_then(|realm| realm.plan.as_ref()).filter(live);
        let Some(plan) = of_realm.or(server.plan.as_ref().filter(live)) else {
            return self.without_plan(users);
        };
        match (plan.is_community(), plan.status) {
            (true, _) => Entitlement::yes("Community plan"),
            (false, PlanStatus::Active) => Entitlement::yes("Active plan"),
            (false, PlanStatus::Ending | PlanStatus::Ended) => match users {
                Users::Known(users) if users <= self.free_users => {
                    Entitlement::yes("Expiring plan few users")
                }
                Users::Known(_) | Users::Unknown => {
                    Entitlement { expected_end: plan.ends_at, ..Entitlement::yes("Scheduled end") }
                }
            },
        }
    }

    /// Whether a plan is for so many users; if nobody knows how many there are, it is.
    fn covers(&self, plan: &Plan, users: Users) -> bool {
        match (self.rule, plan.user_limit, users) {
            (EntitlementRule::Plans, Some(limit), Users::Known(users)) => users <= limit,
            _ => true,
        }
    }

    fn without_plan(&self, users: Users) -> Entitlement {
        match users {
            Users::Unknown => Entitlement::no("Missing data"),
            Users::Known(users) if users > self.free_users => {
                Entitlement::no(self.too_many_users.to_string())
            }
            Users::Known(_) => Entitlement::yes("No plan few users"),
        }
    }
}

impl Entitlement {
    fn yes(reason: &'static str) -> Self {
        Self { can_push: true, expected_end: None, reason: reason.into() }
    }

    fn no(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { can_push: false, expected_end: None, reason: reason.into() }
    }
}

/// How many people use a realm, or all realms of a server.
#[derive(Clone, Copy)]
enum Users {
    Known(i64),
    /// The server never told, or too long ago.
    Unknown,
}

impl Users {
    fn of(server: &RemoteServer, realm: Option<&RemoteRealm>, now: Timestamp) -> Self {
        match server.audit_log_updated_at {
            Some(told) if now <= told + USER_COUNT_LIFE => {
                Self::Known(realm.map_or(server.user_count, |realm| realm.user_count))
            }
            Some(_) | None => Self::Unknown,
        }
    }
}

/// Zulip's text, with this operator's number and address.
fn too_many_users(config: &EntitlementConfig) -> String {
    let text = format!(
        "Push notifications access with {}+ users requires signing up for a plan.",
        config.free_users
    );
    match &config.plans_url {
        Some(url) => format!("{text} {url}"),
        None => text,
    }
}

#[cfg(test)]
mod tests;
