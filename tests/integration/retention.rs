//! Old rows are deleted, by the service and by `push-bouncer purge`; what is still needed stays.

mod job;
mod purge;
mod rows;

use serde_json::{Value, json};

use crate::world::{World, audit_row, installation_count, realm_count};
use rows::{counted, fill};

#[tokio::test(flavor = "multi_thread")]
async fn purge_deletes_what_is_old_and_a_dry_run_nothing() {
    let world = World::start("").await;
    let database = world.database().await;
    let server = world.chat_server("chat.selfhosted.test").await.stored(&database).await;
    // The registration itself is noted too, today.
    fill(&database, server.id, &[800, 40, 1]).await;
    let before = counted(&database).await;
    let old = json!({
        "devices": 2, "e2ee_devices": 2, "audit_log": 1, "realm_audit_log": 1, "realm_counts": 3,
        "installation_counts": 3, "push_counts": 1, "registration_key_uses": 1,
    });
    let dry = world.command(&["purge", "--dry-run", "--json"]).await;
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(dry.json(), json!({"dry_run": true, "rows": 14, "tables": old}));
    assert_eq!(counted(&database).await, before);
    let told = world.done(&["purge", "--dry-run", "--what", "audit"]).await;
    assert_eq!(told, "audit_log: 1\nrealm_audit_log: 1\n2 rows would be deleted.\n");

    let told = world.done(&["purge", "--what", "devices,audit"]).await;
    let expected =
        "audit_log: 1\ndevices: 2\ne2ee_devices: 2\nrealm_audit_log: 1\nDeleted 6 rows.\n";
    assert_eq!(told, expected);
    let rest = world.command(&["purge", "--json"]).await.json();
    assert_eq!(rest["rows"], 8);
    for (table, rows) in &counted(&database).await {
        let gone = old[table.as_str()].as_u64().unwrap();
        assert_eq!(*rows, before[table] - gone, "{table}");
    }
    assert_eq!(world.states_of_devices().await, (1, 0, 1));
    assert_eq!(world.done(&["purge"]).await, "No row is old enough to be deleted.\n");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_say_how_old() {
    let settings = "retention = { expired_devices = \"60d\", audit = \"36d\", stats_hourly = \"2d\", stats_daily = \"100y\" }";
    let world = World::start(settings).await;
    let database = world.database().await;
    let server = world.chat_server("chat.selfhosted.test").await.stored(&database).await;
    fill(&database, server.id, &[800, 40, 1]).await;
    let dry = world.command(&["purge", "--dry-run", "--json"]).await.json();
    let expected = json!({
        "devices": 1, "e2ee_devices": 1, "audit_log": 2, "realm_audit_log": 2, "realm_counts": 2,
        "installation_counts": 2, "push_counts": 0, "registration_key_uses": 0,
    });
    assert_eq!(dry["tables"], expected);
    world.shutdown().await;
}

/// What a server uploads, long ago.
fn old_upload(ids: std::ops::RangeInclusive<i64>) -> [(&'static str, Value); 3] {
    let at = |mut row: Value, member: &str, id: i64| {
        row[member] = json!(1_400_000_000 + 3600 * id);
        row
    };
    let all = |row: fn(i64) -> Value, member: &str| {
        Value::from(ids.clone().map(|id| at(row(id), member, id)).collect::<Vec<_>>())
    };
    [
        ("realm_counts", all(|id| realm_count(id, 1), "end_time")),
        ("installation_counts", all(installation_count, "end_time")),
        ("realmauditlog_rows", all(|id| audit_row(id, 1, 5), "event_time")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_highest_number_of_each_server_stays_and_is_told() {
    let world = World::start("").await;
    let database = world.database().await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    server.upload_well(&old_upload(1..=5)).await;
    neighbour.upload_well(&old_upload(1..=3)).await;
    for rows in [18, 0] {
        let purged = world.command(&["purge", "--json"]).await.json();
        assert_eq!(purged["rows"], rows);
        assert_eq!(server.last_rows(&world).await, [5; 3]);
        assert_eq!(neighbour.last_rows(&world).await, [3; 3]);
    }
    assert_eq!(server.stored(&database).await.user_count, 5, "users are counted as before");
    // What was sent again is not stored again, and what is new is.
    server.upload_well(&old_upload(1..=6)).await;
    let stored = counted(&database).await;
    for table in ["realm_counts", "installation_counts", "realm_audit_log"] {
        assert_eq!(stored[table], 3, "{table}");
    }
    assert_eq!(server.last_rows(&world).await, [6; 3]);
    world.shutdown().await;
}
