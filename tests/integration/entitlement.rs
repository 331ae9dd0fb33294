//! Who may push: the number of users, plans, approval; and how operators decide about it.

use entities::audit_log;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::{Value, json};

use crate::world::{ChatServer, IAGO, Registered, World, audit_row, to, until_it_counts};

mod approval;
mod deactivation;
mod hosts;

const USER_LIMIT: &str = "entitlement.policy = \"user-limit\"\n";

const REALM: &str = "0f3c9a1e-7d2b-4c58-9a4b-1f0f7b8c2d11";

/// What a notify of a server that has a feature level is answered: its status, and the reason or the realm.
async fn notify(server: &ChatServer, realm: Option<&str>) -> (u16, Value) {
    let body = to(IAGO, json!({"realm_uuid": realm, "gcm_payload": {}, "apns_payload": {}}));
    let reply = server.json("push/notify", &body).await;
    let told = if reply.status == 200 { &reply.json["realm"] } else { &reply.json["msg"] };
    (reply.status.as_u16(), told.clone())
}

/// A registered server with the realm and a feature level.
async fn server_with_realm(world: &World) -> ChatServer {
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_set_on_the_command_line_counts_within_a_second() {
    let world = World::start(USER_LIMIT).await;
    let server = server_with_realm(&world).await;
    assert_eq!(notify(&server, None).await.0, 400, "nobody knows how many users there are");

    let told = world.done(&["server", "set-plan", "chat.selfhosted.test", "business"]).await;
    assert!(told.starts_with("chat.selfhosted.test: no plan → business, active."), "{told}");
    until_it_counts("the plan counts", async || {
        (notify(&server, None).await.0 == 200).then_some(())
    })
    .await;

    world.done(&["server", "set-plan", &server.org_id[..8], "none", "--reason", "unpaid"]).await;
    until_it_counts("the plan is gone", async || {
        (notify(&server, None).await.0 == 400).then_some(())
    })
    .await;

    let rows = audit_log::Entity::find()
        .filter(audit_log::Column::EventType.eq(10204))
        .order_by_asc(audit_log::Column::Id)
        .all(&world.database().await)
        .await
        .unwrap();
    let noted: Vec<Value> =
        rows.iter().map(|row| serde_json::from_str(&row.extra_data).unwrap()).collect();
    let business =
        json!({"name": "business", "status": "active", "ends_at": null, "user_limit": null});
    assert_eq!(
        noted,
        [
            json!({"old": null, "new": business, "actor": "olivia"}),
            json!({"old": business, "new": null, "actor": "olivia", "reason": "unpaid"}),
        ]
    );
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_plan_is_told_with_every_notification() {
    let world = World::start(USER_LIMIT).await;
    let server = server_with_realm(&world).await;
    let ending = ["business", "--ends", "2099-12-01"];
    world.done(&[&["server", "set-plan", "chat.selfhosted.test"], &ending[..]].concat()).await;
    let expected = json!({"can_push": true, "expected_end_timestamp": 4_099_766_400_i64});
    until_it_counts("the plan counts", async || {
        (notify(&server, Some(REALM)).await == (200, expected.clone())).then_some(())
    })
    .await;
    let realms = server.upload_realm(REALM).await;
    assert_eq!(realms["realms"][REALM], expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_realm_is_for_that_realm_only() {
    let world = World::start(USER_LIMIT).await;
    let server = server_with_realm(&world).await;
    world.done(&["realm", "set-plan", REALM, "community"]).await;
    let may = json!({"can_push": true, "expected_end_timestamp": null});
    until_it_counts("the plan counts", async || {
        (notify(&server, Some(REALM)).await == (200, may.clone())).then_some(())
    })
    .await;
    assert_eq!(notify(&server, None).await.0, 400);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_covers_as_many_users_as_it_is_for() {
    let world = World::start("entitlement = { policy = \"plans\", free_users = 5 }\n").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let upload = async |row: i64, users: i64| {
        let rows = [("realmauditlog_rows", json!([audit_row(row, 2, users)]))];
        server.upload_realm_with(REALM, &rows).await["realms"][REALM]["can_push"].clone()
    };
    let too_many = "Your plan doesn't allow sending push notifications. Reason provided by the server: \
        Push notifications access with 5+ users requires signing up for a plan.";
    assert_eq!(upload(1, 6).await, false);
    assert_eq!(notify(&server, Some(REALM)).await, (400, too_many.into()));

    let plan = ["server", "set-plan", "chat.selfhosted.test", "business", "--users", "10"];
    world.done(&plan).await;
    let may = json!({"can_push": true, "expected_end_timestamp": null});
    until_it_counts("the plan counts", async || {
        (notify(&server, Some(REALM)).await == (200, may.clone())).then_some(())
    })
    .await;
    assert_eq!(upload(2, 10).await, true);
    assert_eq!(notify(&server, Some(REALM)).await.0, 200);

    assert_eq!(upload(3, 11).await, false);
    for realm in [Some(REALM), None] {
        assert_eq!(notify(&server, realm).await, (400, too_many.into()), "{realm:?}");
    }
    assert_eq!(upload(4, 5).await, true, "so few need no plan");
    assert_eq!(notify(&server, None).await.0, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_meant_so_is_refused_by_the_command_line() {
    let world = World::start(USER_LIMIT).await;
    let server = server_with_realm(&world).await;
    for command in [["server", "set-plan", "chat.selfhosted.test"], ["realm", "set-plan", REALM]] {
        for plan in [
            &["business", "--ends", "2020-12-01"][..],
            &["none", "--ends", "2099-12-01"],
            &["none", "--status", "active"],
            &["none", "--users", "10"],
        ] {
            let printed = world.command(&[&command[..], plan].concat()).await;
            assert_eq!((printed.code, printed.text.as_str()), (4, ""), "{plan:?}");
        }
    }
    assert_eq!(server.stored(&world.database().await).await.plan_name, None);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_a_plan_does_not_count_is_said() {
    let world = World::start("").await;
    server_with_realm(&world).await;
    for command in [["server", "set-plan", "chat.selfhosted.test"], ["realm", "set-plan", REALM]] {
        let set = async |plan: &[&str]| {
            let printed = world.command(&[&command[..], plan].concat()).await;
            assert_eq!(printed.code, 0, "{printed:?}");
            printed.complaint
        };
        let said = set(&["business"]).await;
        assert!(
            said.starts_with("`entitlement.policy` is `always`: the plan changes nothing"),
            "{said}"
        );
        assert_eq!(set(&["business", "--json"]).await, "", "a program knows");
        assert_eq!(set(&["none"]).await, "");
    }
    world.shutdown().await;

    let world = World::start(USER_LIMIT).await;
    server_with_realm(&world).await;
    let set = ["server", "set-plan", "chat.selfhosted.test", "business"];
    assert_eq!(world.command(&set).await.complaint, "");
    let said = world.command(&[&set[..], &["--users", "10"]].concat()).await.complaint;
    assert!(said.contains("the number of users changes nothing"), "{said}");
    world.shutdown().await;

    let world = World::start("entitlement.policy = \"plans\"\n").await;
    server_with_realm(&world).await;
    world.done(&[&set[..], &["--users", "10"]].concat()).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_or_several_could_be_is_refused_by_the_command_line() {
    let world = World::start(USER_LIMIT).await;
    let printed = world.command(&["server", "set-plan", "nosuch.test", "business"]).await;
    assert_eq!(printed.code, 3);
    assert!(printed.complaint.starts_with("error: no server matches `nosuch.test`\nhelp: "));
    let printed = world.command(&["server", "set-plan", "nosuch.test", "business", "--json"]).await;
    assert_eq!((printed.code, &printed.json()["error"]["code"]), (3, &json!("no_match")));
    assert_eq!(printed.complaint, "");

    for hostname in ["one.selfhosted.test", "two.selfhosted.test"] {
        let server = world.new_chat_server(hostname);
        let id = format!("abcdef12-0000-4000-8000-00000000000{}", hostname.len() - 18);
        let id = if hostname.starts_with("two") { id.replace("12-", "34-") } else { id };
        assert_eq!(server.register_with(&[("zulip_org_id", &id)]).await, Registered::Created);
    }
    let printed = world.command(&["server", "set-plan", "abcdef", "business"]).await;
    assert_eq!(printed.code, 3);
    for hostname in ["one.selfhosted.test", "two.selfhosted.test"] {
        assert!(printed.complaint.contains(hostname), "{printed:?}");
    }
    world.done(&["server", "set-plan", "abcdef34", "business"]).await;

    let printed =
        world.command(&["server", "set-plan", "abcdef34", "x", "--status", "ending"]).await;
    assert_eq!(printed.code, 4, "an end without a date: {printed:?}");
    world.shutdown().await;
}
