//! The table of the protocol, section 8, row by row.

use uuid::Uuid;

use super::*;
use crate::domain::remote_server::KeyHash;

const DAY: i64 = 24 * 60 * 60;

/// A policy of this rule, and its present moment.
fn policy(rule: EntitlementRule) -> (EntitlementPolicy, Timestamp) {
    let clock = Clock::default();
    let now = clock.now();
    let config = EntitlementConfig { policy: rule, ..EntitlementConfig::default() };
    (EntitlementPolicy::new(&config, clock), now)
}

fn plan(name: &str, status: PlanStatus, ends_at: Option<Timestamp>) -> Option<Plan> {
    Some(Plan { name: name.to_owned(), status, ends_at, user_limit: None })
}

fn server(users: i64, told: Option<Timestamp>, plan: Option<Plan>) -> RemoteServer {
    RemoteServer {
        id: 1,
        uuid: Uuid::nil(),
        key: KeyHash::of("x"),
        previous_key: None,
        hostname: "chat.example.org".to_owned(),
        deactivated: false,
        api_feature_level: Some(300),
        approved: true,
        plan,
        user_count: users,
        audit_log_updated_at: told,
        transfers: 0,
    }
}

fn realm(users: i64, plan: Option<Plan>) -> RemoteRealm {
    RemoteRealm { id: 1, server_id: 1, uuid: Uuid::nil(), plan, user_count: users }
}

/// Whether it may push, and why.
fn told(entitlement: &Entitlement) -> (bool, &str) {
    (entitlement.can_push, &entitlement.reason)
}

#[test]
fn always_asks_for_nothing_but_approval() {
    let (policy, now) = policy(EntitlementRule::Always);
    assert!(policy.decide(&server(5000, None, None), None).can_push);
    let waiting = RemoteServer { approved: false, ..server(1, Some(now), None) };
    assert!(!policy.decide(&waiting, None).can_push);
}

#[test]
fn a_community_plan_of_the_realm_or_the_server_is_for_everybody() {
    let (policy, _) = policy(EntitlementRule::UserLimit);
    let community = || plan("community", PlanStatus::Active, None);
    let expected = (true, "Community plan");
    let decided = policy.decide(&server(0, None, None), Some(&realm(500, community())));
    assert_eq!(told(&decided), expected);
    let decided = policy.decide(&server(500, None, community()), Some(&realm(500, None)));
    assert_eq!(told(&decided), expected);
}

#[test]
fn without_a_plan_the_number_of_users_decides_if_it_is_known() {
    let (policy, now) = policy(EntitlementRule::UserLimit);
    let missing = (false, "Missing data");
    assert_eq!(told(&policy.decide(&server(0, None, None), None)), missing);
    let two_days_ago = Timestamp::from_unix_millis(now.unix_millis() - 2 * DAY * 1000 - 1000);
    assert_eq!(told(&policy.decide(&server(0, Some(two_days_ago), None), None)), missing);

    let eleven = policy.decide(&server(11, Some(now), None), None);
    let text = "Push notifications access with 10+ users requires signing up for a plan.";
    assert_eq!(told(&eleven), (false, text));
    let ten = policy.decide(&server(11, Some(now), None), Some(&realm(10, None)));
    assert_eq!(told(&ten), (true, "No plan few users"));
}

#[test]
fn a_live_plan_counts_the_realms_before_the_servers() {
    let (policy, now) = policy(EntitlementRule::UserLimit);
    let end = now + Duration::from_secs(60);
    let active = plan("business", PlanStatus::Active, None);
    let ending = plan("business", PlanStatus::Ending, Some(end));
    let decided = policy.decide(&server(500, None, active), None);
    assert_eq!((told(&decided), decided.expected_end), ((true, "Active plan"), None));

    let few = policy.decide(&server(10, Some(now), ending.clone()), None);
    assert_eq!((told(&few), few.expected_end), ((true, "Expiring plan few users"), None));
    let many = policy.decide(&server(11, Some(now), ending.clone()), None);
    assert_eq!((told(&many), many.expected_end), ((true, "Scheduled end"), Some(end)));
    let unknown = policy.decide(&server(0, None, ending.clone()), None);
    assert_eq!((told(&unknown), unknown.expected_end), ((true, "Scheduled end"), Some(end)));

    let community = plan("community", PlanStatus::Active, None);
    let decided = policy.decide(&server(0, None, community), Some(&realm(500, ending)));
    assert_eq!(told(&decided), (true, "Scheduled end"));
}

#[test]
fn a_plan_that_is_over_is_none() {
    let (policy, now) = policy(EntitlementRule::UserLimit);
    for over in [
        plan("business", PlanStatus::Ended, None),
        plan("business", PlanStatus::Ending, Some(now)),
        plan("community", PlanStatus::Ended, None),
    ] {
        assert!(!policy.decide(&server(11, Some(now), over), None).can_push);
    }
}

#[test]
fn a_plans_limit_counts_under_plans_only() {
    let small = Plan { user_limit: Some(50), ..plan("team", PlanStatus::Active, None).unwrap() };
    for (rule, may) in [(EntitlementRule::UserLimit, true), (EntitlementRule::Plans, false)] {
        let (policy, now) = policy(rule);
        assert!(policy.decide(&server(50, Some(now), Some(small.clone())), None).can_push);
        let decided = policy.decide(&server(51, Some(now), Some(small.clone())), None);
        assert_eq!(decided.can_push, may, "{rule:?}");
        assert!(policy.decide(&server(51, None, Some(small.clone())), None).can_push);
    }
}
