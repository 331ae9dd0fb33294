//! V129 to V145: what servers upload about themselves, and up to where it is stored.

use entities::{realm_audit_log, remote_servers};
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};

use super::{R1, R2, bad_request, one_server, said, two_servers};
use crate::world::{
    ChatServer, IAGO, Phone, audit_row, message, noted, realm, realm_count, stored_realm, to,
};

/// A second realm of the first server.
const ANOTHER: &str = "1d6e5f40-1111-4222-8333-444455556666";

#[tokio::test(flavor = "multi_thread")]
async fn v129_of_a_new_server_nothing_is_stored() {
    let (world, server) = one_server("").await;
    assert_eq!(server.last_rows(&world).await, [0, 0, 0]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v130_the_form_of_2_0_is_taken() {
    let (world, server) = one_server("").await;
    assert_eq!(upload_of_2_0(&server).await, nothing_of_realms());

    assert_eq!(server.last_rows(&world).await, [1, 0, 0]);
    let stored = server.stored(&world.database().await).await;
    assert_eq!(stored.version.as_deref(), Some("2.0.6+git"));
    assert_eq!(stored.api_feature_level, None);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v131_rows_that_are_stored_already_are_passed_over() {
    let (world, server) = one_server("").await;
    upload_of_2_0(&server).await;
    assert_eq!(upload_of_2_0(&server).await, nothing_of_realms());
    assert_eq!(server.last_rows(&world).await, [1, 0, 0]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v132_a_count_of_something_unknown_is_left_out() {
    a_count_is_left_out("invalid count stat").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v133_a_count_that_only_the_bouncer_makes_is_left_out() {
    a_count_is_left_out("mobile_pushes_forwarded::day").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v134_a_count_that_nobody_needs_is_left_out() {
    a_count_is_left_out("invites_sent::day").await;
}

async fn a_count_is_left_out(property: &str) {
    let (world, server) = one_server("").await;
    let mut odd = realm_count(1, 2);
    odd["property"] = json!(property);
    assert_eq!(server.upload(&[("realm_counts", json!([odd]))]).await, nothing_of_realms());
    assert_eq!(server.last_rows(&world).await, [0, 0, 0]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v135_an_event_of_an_unknown_kind_is_left_out() {
    let (world, server) = one_server("").await;
    let mut odd = audit_row(1, 2, 3);
    odd["event_type"] = json!(999);
    let rows = json!([odd, audit_row(2, 2, 3)]);
    assert_eq!(server.upload(&[("realmauditlog_rows", rows)]).await, nothing_of_realms());
    assert_eq!(server.last_rows(&world).await, [0, 0, 2], "the row after it is stored");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v136_extra_data_comes_as_text_as_object_or_not_at_all() {
    let (world, server) = one_server("").await;
    let roles = crate::world::roles(3);
    let with = |id, extra_data: Value| {
        let mut row = audit_row(id, 2, 0);
        row["extra_data"] = extra_data;
        row
    };
    let rows =
        json!([with(1, json!(roles.to_string())), with(2, roles.clone()), with(3, json!(null))]);
    assert_eq!(server.upload(&[("realmauditlog_rows", rows)]).await, nothing_of_realms());

    let broken = json!([with(4, json!(roles)), with(5, json!("{bad"))]);
    let refused = server.upload(&[("realmauditlog_rows", broken)]).await;
    assert_eq!(refused, bad_request("Malformed audit log data"));

    let query = realm_audit_log::Entity::find().order_by_asc(realm_audit_log::Column::RemoteId);
    let stored = query.all(&world.database().await).await.unwrap();
    let stored: Vec<Value> =
        stored.iter().map(|row| serde_json::from_str(&row.extra_data).unwrap()).collect();
    assert_eq!(stored, [roles.clone(), roles, json!({})]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v137_the_answer_says_of_each_realm_whether_it_may_push() {
    let (world, server) = one_server("").await;
    let realms = server.upload_well(&[("realms", json!([realm(1, R1), realm(2, ANOTHER)]))]).await;
    let may = json!({"can_push": true, "expected_end_timestamp": null});
    assert_eq!(realms, json!({R1: may, ANOTHER: may}));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v138_a_realm_that_is_missing_is_labelled_and_may_push_all_the_same() {
    let (world, server) = one_server("").await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    server.upload_well(&[("realms", json!([realm(1, R1), realm(2, ANOTHER)]))]).await;

    let realms = server.upload_well(&[("realms", json!([realm(1, R1)]))]).await;
    assert_eq!(realms.as_object().unwrap().keys().collect::<Vec<_>>(), [R1]);

    let database = world.database().await;
    assert!(stored_realm(&database, ANOTHER).await.unwrap().locally_deleted);
    let id = server.stored(&database).await.id;
    assert_eq!(noted(&database, id).await, [(20003, json!({}))]);
    let mut notification = to(IAGO, message());
    notification["realm_uuid"] = json!(ANOTHER);
    assert_eq!(server.notify(&notification).await["realm"]["can_push"], true);
    assert_eq!(world.arrived(), (0, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v139_a_realm_that_is_there_again_is_restored() {
    let (world, server) = one_server("").await;
    let both = json!([realm(1, R1), realm(2, ANOTHER)]);
    for realms in [both.clone(), json!([realm(1, R1)]), json!([realm(1, R1)]), both] {
        server.upload_well(&[("realms", realms)]).await;
    }
    let database = world.database().await;
    assert!(!stored_realm(&database, ANOTHER).await.unwrap().locally_deleted);
    let id = server.stored(&database).await.id;
    assert_eq!(noted(&database, id).await, [(20003, json!({})), (20004, json!({}))], "once each");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v140_a_changed_value_is_noted_with_the_old_one() {
    let (world, server) = one_server("").await;
    server.upload_well(&[("realms", json!([realm(1, R1)]))]).await;
    let mut renamed = realm(1, R1);
    renamed["name"] = json!("Renamed");
    server.upload_well(&[("realms", json!([renamed]))]).await;

    let database = world.database().await;
    assert_eq!(stored_realm(&database, R1).await.unwrap().name, "Renamed");
    let change = json!({"attr_name": "name", "old_value": "Realm", "new_value": "Renamed"});
    let id = server.stored(&database).await.id;
    assert_eq!(noted(&database, id).await, [(20001, change)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v141_a_realm_of_another_server_refuses_all_of_it() {
    let (world, server, neighbour) = two_servers("").await;
    neighbour.upload_well(&[("realms", json!([realm(1, R2)]))]).await;
    let upload = [
        ("realms", json!([realm(1, R1), realm(2, R2)])),
        ("realm_counts", json!([realm_count(1, 1)])),
        ("version", json!("10.0")),
    ];
    let refused = bad_request("Duplicate registration detected.");
    assert_eq!(server.upload(&upload).await, refused);

    let database = world.database().await;
    assert_eq!(stored_realm(&database, R1).await, None);
    assert_eq!(server.stored(&database).await.version, None);
    assert_eq!(server.last_rows(&world).await, [0, 0, 0]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v142_a_kind_of_organization_that_does_not_exist_is_refused() {
    let (world, server) = one_server("").await;
    let mut odd = realm(1, R1);
    odd["org_type"] = json!(9999);
    let message = "Invalid realms[0][\"org_type\"]: Value error, Not a valid org_type value";
    assert_eq!(server.upload(&[("realms", json!([odd]))]).await, bad_request(message));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v143_what_newer_servers_tell_of_a_realm_is_ignored() {
    let (world, server) = one_server("").await;
    let mut newer = realm(1, R1);
    newer["advertise_realm_data"] = json!({"description": "Chat", "invite_required": true});
    let realms = server.upload_well(&[("realms", json!([newer]))]).await;
    assert_eq!(realms[R1]["can_push"], true);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v144_an_empty_list_of_events_is_news_too() {
    let (world, server) = one_server("").await;
    let database = world.database().await;
    let told = || async { server.stored(&database).await.audit_log_updated_at };
    server.upload_well(&[]).await;
    assert_eq!(told().await, None, "nothing was told");
    server.upload_well(&[("realmauditlog_rows", json!([]))]).await;
    let first = told().await.unwrap();
    world.clock.advance(std::time::Duration::from_secs(3600));
    server.upload_well(&[("realmauditlog_rows", json!([]))]).await;
    assert!(told().await.unwrap() >= first + 3_600_000);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v145_an_absent_version_erases_what_was_stored() {
    let (world, server) = one_server("").await;
    let database = world.database().await;
    let version = async |database: &_| {
        let remote_servers::Model { version, merge_base, api_feature_level, .. } =
            server.stored(database).await;
        (version, merge_base, api_feature_level)
    };
    let told = [
        ("version", json!("10.0-dev+git")),
        ("merge_base", json!("abc")),
        ("api_feature_level", json!(353)),
    ];
    server.upload_well(&told).await;
    let stored = (Some("10.0-dev+git".to_owned()), Some("abc".to_owned()), Some(353));
    assert_eq!(version(&database).await, stored);
    server.upload_well(&[]).await;
    assert_eq!(version(&database).await, (None, None, None));
    world.shutdown().await;
}

/// The example of the protocol.
async fn upload_of_2_0(server: &ChatServer) -> (u16, Value) {
    let counts = r#"[{"property":"messages_sent:is_bot:hour","subgroup":"false","end_time":574300800.0,"value":5,"id":1,"realm":2}]"#;
    let fields =
        [("realm_counts", counts), ("installation_counts", "[]"), ("version", "\"2.0.6+git\"")];
    said(
        &server.form("server/analytics", &fields.map(|(name, text)| (name, text.to_owned()))).await,
    )
}

/// Success of an upload that names no realms.
fn nothing_of_realms() -> (u16, Value) {
    let ignored = ["server_uuid"];
    let answer = json!({"result": "success", "msg": "", "realms": {}, "ignored_parameters_unsupported": ignored});
    (200, answer)
}
