//! `POST server/analytics` and `GET server/analytics/status`: what servers tell of themselves is stored.

use std::time::{Duration, Instant};

use entities::{installation_counts, realm_audit_log, realm_counts, realm_user_counts};
use futures_util::future::join_all;
use sea_orm::{EntityTrait as _, PaginatorTrait as _, QueryOrder as _};
use serde_json::{Value, json};

use crate::world::{
    ChatServer, Stage, World, audit_row, installation_count, realm, realm_count, stored_realm,
};

mod odd;
mod users;

const R1: &str = "11111111-1111-4111-8111-111111111111";
const R2: &str = "22222222-2222-4222-8222-222222222222";

#[tokio::test(flavor = "multi_thread")]
async fn each_value_of_a_row_is_stored() {
    let (world, server) = one_server().await;
    let daily = json!({
        "property": "1day_actives::day", "realm": 1, "id": 7, "end_time": 1_740_000_000,
        "subgroup": null, "value": -9_000_000_000_i64, "added_later": [],
    });
    let event = json!({
        "id": 3, "realm": 1, "event_time": 1_740_000_000.125, "backfilled": true,
        "event_type": 725, "extra_data": {},
    });
    let upload = [
        ("realms", json!([realm(1, R1)])),
        ("realm_counts", json!([daily])),
        ("installation_counts", json!([installation_count(5)])),
        ("realmauditlog_rows", json!([event])),
    ];
    server.upload_well(&upload).await;

    let database = world.database().await;
    let realm = stored_realm(&database, R1).await.unwrap();
    let count = realm_counts::Entity::find().one(&database).await.unwrap().unwrap();
    let expected = realm_counts::Model {
        server_id: realm.server_id,
        remote_id: 7,
        realm_id: 1,
        remote_realm_id: Some(realm.id),
        property: "1day_actives::day".to_owned(),
        subgroup: String::new(),
        end_time: 1_740_000_000_000,
        value: -9_000_000_000,
    };
    assert_eq!(count, expected);
    let count = installation_counts::Entity::find().one(&database).await.unwrap().unwrap();
    let expected = installation_counts::Model {
        server_id: realm.server_id,
        remote_id: 5,
        property: "messages_sent:is_bot:hour".to_owned(),
        subgroup: "false".to_owned(),
        end_time: 1_740_018_000_000,
        value: 5,
    };
    assert_eq!(count, expected);
    let event = realm_audit_log::Entity::find().one(&database).await.unwrap().unwrap();
    let expected = realm_audit_log::Model {
        server_id: realm.server_id,
        remote_id: 3,
        realm_id: 1,
        remote_realm_id: Some(realm.id),
        event_type: 725,
        event_time: 1_740_000_000_125,
        backfilled: true,
        extra_data: "{}".to_owned(),
        user_count: None,
    };
    assert_eq!(event, expected);
    assert_eq!(server.last_rows(&world).await, [7, 5, 3]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_two_servers_do_not_meet() {
    let (world, server) = one_server().await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let upload = |id| {
        [
            ("realm_counts", json!([realm_count(id, 1)])),
            ("realmauditlog_rows", json!([audit_row(id, 1, 20)])),
        ]
    };
    server.upload_well(&upload(4)).await;
    assert_eq!(neighbour.last_rows(&world).await, [0, 0, 0]);
    neighbour.upload_well(&upload(2)).await;
    assert_eq!(neighbour.last_rows(&world).await, [2, 0, 2]);
    assert_eq!(server.last_rows(&world).await, [4, 0, 4]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_in_the_wrong_order_is_passed_over() {
    let (world, server) = one_server().await;
    let rows = json!([realm_count(2, 1), realm_count(1, 1), realm_count(2, 1), realm_count(5, 1)]);
    server.upload_well(&[("realm_counts", rows)]).await;
    assert_eq!(stored_counts(&world).await, [(2, None), (5, None)]);
    server.upload_well(&[("realm_counts", json!([realm_count(4, 1), realm_count(6, 1)]))]).await;
    assert_eq!(stored_counts(&world).await, [(2, None), (5, None), (6, None)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_count_under_another_number_is_stored_once() {
    let (world, server) = one_server().await;
    let undivided = |mut count: Value| {
        count["subgroup"] = json!(null);
        count
    };
    server.upload_well(&[("realm_counts", json!([realm_count(1, 1)]))]).await;
    let mut again = realm_count(1, 1);
    again["id"] = json!(2);
    let mut undivided_again = undivided(realm_count(1, 1));
    undivided_again["id"] = json!(4);
    let mut first = undivided(realm_count(1, 1));
    first["id"] = json!(3);
    let rows = json!([again, first, undivided_again, realm_count(5, 2)]);
    server.upload_well(&[("realm_counts", rows)]).await;
    assert_eq!(stored_counts(&world).await, [(1, None), (3, None), (5, None)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_rows_learn_their_realm_when_the_version_changes() {
    let (world, server) = one_server().await;
    let of_realms = |id| [realm_count(id, 1), realm_count(id + 1, 99)];
    let upload = [
        ("realm_counts", json!(of_realms(1))),
        ("realmauditlog_rows", json!([audit_row(1, 1, 5)])),
    ];
    server.upload_well(&upload).await;
    assert_eq!(stored_counts(&world).await, [(1, None), (2, None)]);

    let database = world.database().await;
    let realms = ("realms", json!([realm(1, R1)]));
    server.upload_well(&[realms.clone(), ("realm_counts", json!(of_realms(3)))]).await;
    let id = stored_realm(&database, R1).await.unwrap().id;
    let known = [(1, None), (2, None), (3, Some(id)), (4, None)];
    assert_eq!(stored_counts(&world).await, known, "the version is the old one");

    server.upload_well(&[realms, ("api_feature_level", json!(300))]).await;
    let known = [(1, Some(id)), (2, None), (3, Some(id)), (4, None)];
    assert_eq!(stored_counts(&world).await, known);
    let event = realm_audit_log::Entity::find().one(&database).await.unwrap().unwrap();
    assert_eq!(event.remote_realm_id, Some(id));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_realm_that_the_upload_does_not_name_find_it_all_the_same() {
    let (world, server) = one_server().await;
    server.upload_well(&[("realms", json!([realm(1, R1), realm(2, R2)]))]).await;
    server.upload_well(&[("realm_counts", json!([realm_count(1, 2)]))]).await;
    let id = stored_realm(&world.database().await, R2).await.unwrap().id;
    assert_eq!(stored_counts(&world).await, [(1, Some(id))]);
    world.shutdown().await;
}

/// Without optimisation, and beside other tests.
const IN_TIME: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn three_tables_of_ten_thousand_rows_are_stored_in_time() {
    const ROWS: i64 = 10_000;
    let (world, server) = one_server().await;
    let list = |row: fn(i64) -> Value| Value::from((1..=ROWS).map(row).collect::<Vec<_>>());
    let upload = [
        ("realms", json!([realm(1, R1), realm(2, R2)])),
        ("realm_counts", list(|id| realm_count(id, 1 + id % 2))),
        ("installation_counts", list(installation_count)),
        ("realmauditlog_rows", list(|id| audit_row(id, 1 + id % 2, id))),
    ];
    let began = Instant::now();
    server.upload_well(&upload).await;
    let took = began.elapsed();
    assert!(took < IN_TIME, "it took {took:?}");
    assert_eq!(server.last_rows(&world).await, [ROWS, ROWS, ROWS]);
    assert_eq!(server.stored(&world.database().await).await.user_count, ROWS + ROWS - 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_realms_are_added_changed_and_missed_in_time() {
    const REALMS: u128 = 3_000;
    let (world, server) = one_server().await;
    // Each of these is to find its realm among the many.
    let counts: Vec<Value> = (1..=10_000).map(|id| realm_count(id, id % 3_000)).collect();
    server.upload_well(&[("realm_counts", Value::from(counts))]).await;
    let realms = |name: &str, from| {
        let realms = (from..REALMS).map(|number| {
            let uuid = uuid::Uuid::from_u128(0xaaaa_aaaa_aaaa_4aaa_8aaa_0000_0000_0000 + number);
            let mut realm = realm(i64::try_from(number).unwrap(), &uuid.to_string());
            realm["name"] = json!(name);
            realm
        });
        [("realms", Value::from(realms.collect::<Vec<_>>())), ("version", json!(name))]
    };
    let began = Instant::now();
    for (name, from) in [("one", 0), ("two", 0), ("two", REALMS / 2)] {
        let named = server.upload_well(&realms(name, from)).await;
        assert_eq!(named.as_object().unwrap().len() as u128, REALMS - from);
    }
    let took = began.elapsed();
    assert!(took < IN_TIME, "it took {took:?}");
    let database = world.database().await;
    let noted = entities::audit_log::Entity::find().count(&database).await.unwrap();
    assert!(stored_counts(&world).await.iter().all(|(_, realm)| realm.is_some()));
    // The server was created, all were renamed, half of them are missing.
    assert_eq!(u128::from(noted), 1 + REALMS + REALMS / 2);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_several_servers_at_once_wait_for_each_other() {
    const SERVERS: usize = 6;
    const ROWS: i64 = 10_000;
    // Shorter than all of them take.
    let stage = Stage::set("").await;
    let patience = "database.statement_timeout = \"1s\"\ndatabase.url";
    let config = stage.surroundings.config().replacen("database.url", patience, 1);
    let world = stage.serve(&config).await;
    let rows = Value::from((1..=ROWS).map(|id| realm_count(id, 1)).collect::<Vec<_>>());
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        servers.push(world.chat_server(&format!("chat-{number}.selfhosted.test")).await);
    }
    let upload = [("realm_counts", rows)];
    join_all(servers.iter().map(|server| server.upload_well(&upload))).await;
    for server in &servers {
        assert_eq!(server.last_rows(&world).await, [ROWS, 0, 0]);
    }
    world.shutdown().await;
}

async fn one_server() -> (World, ChatServer) {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    (world, server)
}

/// The numbers of all counts of realms, and which realms they are of.
async fn stored_counts(world: &World) -> Vec<(i64, Option<i64>)> {
    let query = realm_counts::Entity::find().order_by_asc(realm_counts::Column::RemoteId);
    let stored = query.all(&world.database().await).await.unwrap();
    stored.iter().map(|row| (row.remote_id, row.remote_realm_id)).collect()
}

/// How many users the realms of a server have by the latest rows, by their numbers.
async fn users_of_realms(world: &World) -> Vec<(i64, i64)> {
    let query = realm_user_counts::Entity::find().order_by_asc(realm_user_counts::Column::RealmId);
    let stored = query.all(&world.database().await).await.unwrap();
    stored.iter().map(|row| (row.realm_id, row.user_count)).collect()
}
