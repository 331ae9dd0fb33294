//! How many people use a realm and a server, by the audit rows.

use std::time::Duration;

use serde_json::{Value, json};

use super::{R1, R2, one_server, users_of_realms};
use crate::world::{ChatServer, World, audit_row, realm, stored_realm};

/// A limit of ten users decides.
const SETTINGS: &str = "entitlement.policy = \"user-limit\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_row_that_tells_users_counts() {
    let (world, server) = one_server().await;
    let mut silent = audit_row(3, 1, 0);
    silent["extra_data"] = json!({});
    let rows = json!([audit_row(1, 1, 8), audit_row(2, 1, 9), silent, audit_row(4, 2, 5)]);
    let realms = ("realms", json!([realm(1, R1), realm(2, R2)]));
    server.upload_well(&[realms, ("realmauditlog_rows", rows)]).await;
    assert_eq!(counts(&world, &server).await, (9, 5, 14));

    server.upload_well(&[("realmauditlog_rows", json!([audit_row(5, 1, 3)]))]).await;
    assert_eq!(counts(&world, &server).await, (3, 5, 8), "also of a realm not named this time");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_that_is_named_later_has_its_users_at_once() {
    let (world, server) = one_server().await;
    let rows = json!([audit_row(1, 1, 8), audit_row(2, 3, 30)]);
    server.upload_well(&[("realmauditlog_rows", rows)]).await;
    let database = world.database().await;
    assert_eq!(server.stored(&database).await.user_count, 38, "of all numbers of realms");

    server.upload_well(&[("realms", json!([realm(1, R1)]))]).await;
    assert_eq!(stored_realm(&database, R1).await.unwrap().user_count, 8);
    assert_eq!(users_of_realms(&world).await, [(1, 8), (3, 30)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_future_counts_when_its_time_has_come() {
    let (world, server) = one_server().await;
    let tomorrow = world.clock.now() + Duration::from_secs(24 * 60 * 60);
    let mut later = audit_row(2, 1, 50);
    later["event_time"] = json!(tomorrow.unix_seconds());
    let realms = ("realms", json!([realm(1, R1), realm(2, R2)]));
    let rows = json!([audit_row(1, 1, 8), later, audit_row(3, 2, 1)]);
    server.upload_well(&[realms.clone(), ("realmauditlog_rows", rows)]).await;
    assert_eq!(counts(&world, &server).await, (8, 1, 9));

    world.clock.advance(Duration::from_secs(12 * 60 * 60));
    server.upload_well(&[realms.clone(), ("realmauditlog_rows", json!([]))]).await;
    assert_eq!(counts(&world, &server).await, (8, 1, 9));

    world.clock.advance(Duration::from_secs(12 * 60 * 60 + 60));
    server.upload_well(&[realms, ("realmauditlog_rows", json!([]))]).await;
    assert_eq!(counts(&world, &server).await, (50, 1, 51));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_came_due_does_not_replace_a_later_one() {
    let (world, server) = one_server().await;
    let mut later = audit_row(1, 1, 50);
    let soon = world.clock.now() + Duration::from_secs(60);
    later["event_time"] = json!(soon.unix_seconds());
    let rows = json!([later, audit_row(2, 1, 4)]);
    server.upload_well(&[("realmauditlog_rows", rows)]).await;
    world.clock.advance(Duration::from_secs(120));
    server.upload_well(&[("realmauditlog_rows", json!([]))]).await;
    assert_eq!(users_of_realms(&world).await, [(1, 4)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_knows_the_users_of_the_same_upload() {
    let world = World::start(SETTINGS).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let realms = json!([realm(1, R1), realm(2, R2)]);
    let can_push = |answer: &Value| {
        (answer[R1]["can_push"].as_bool().unwrap(), answer[R2]["can_push"].as_bool().unwrap())
    };
    let upload = |rows: Value| [("realms", realms.clone()), ("realmauditlog_rows", rows)];
    let first = upload(json!([audit_row(1, 1, 10), audit_row(2, 2, 11)]));
    assert_eq!(can_push(&server.upload_well(&first).await), (true, false));
    let second = upload(json!([audit_row(3, 1, 11), audit_row(4, 2, 10)]));
    assert_eq!(can_push(&server.upload_well(&second).await), (false, true));
    world.shutdown().await;
}

/// The users of both realms and of the server, as their rows say.
async fn counts(world: &World, server: &ChatServer) -> (i64, i64, i64) {
    let database = world.database().await;
    let of_realm = async |uuid| stored_realm(&database, uuid).await.unwrap().user_count;
    (of_realm(R1).await, of_realm(R2).await, server.stored(&database).await.user_count)
}
