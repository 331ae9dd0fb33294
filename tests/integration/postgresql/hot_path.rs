//! What requests ask the database is answered by indexes, however many rows there are.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, FromQueryResult, Statement};
use serde_json::json;

use crate::world::{ChatServer, IAGO, Phone, Stage, User, World, message, to, until};

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

/// So many rows of each table that an index is the shorter way.
const ROWS: u32 = 20_000;

const TABLES: [&str; 4] = ["devices", "e2ee_devices", "remote_servers", "remote_realms"];

/// Others' servers, realms and devices.
const CROWD: &str = "
    INSERT INTO remote_servers (id, uuid, key_hash, hostname, contact_email, deactivated, created_at, updated_at)
        OVERRIDING SYSTEM VALUE
        SELECT n, gen_random_uuid(), '\\x00', 'chat' || n || '.example.org', 'a@example.org', false, 0, 0
        FROM generate_series(1000000, 1000000 + ROWS) AS n;
    INSERT INTO remote_realms (id, server_id, uuid, realm_id, host, name, org_type, authentication_methods,
            is_system_bot_realm, deactivated, locally_deleted, date_created, created_at)
        OVERRIDING SYSTEM VALUE
        SELECT n, n, gen_random_uuid(), 2, 'h', 'n', 10, '{}', false, false, false, 0, 0
        FROM generate_series(1000000, 1000000 + ROWS) AS n;
    INSERT INTO devices (id, server_id, user_id, kind, token, token_digest, ios_app_id, registered_at)
        OVERRIDING SYSTEM VALUE
        SELECT n, 1000000 + n % 100, n, 1 + n % 2, 't' || n, substring(sha256(('t' || n)::bytea) FOR 16),
            'org.zulip.Zulip', 0
        FROM generate_series(1000000, 1000000 + ROWS) AS n;
    INSERT INTO e2ee_devices (id, server_id, remote_realm_id, kind, token, token_digest, token_id, registered_at)
        OVERRIDING SYSTEM VALUE
        SELECT n, 1000000 + n % 100, 1000000 + n % 100, 1 + n % 2, 't' || n,
            substring(sha256(('t' || n)::bytea) FOR 16), n, 0
        FROM generate_series(1000000, 1000000 + ROWS) AS n;
    ANALYZE;";

#[derive(FromQueryResult)]
struct Scans {
    relname: String,
    seq_scan: i64,
}

/// How often each table was read from one end to the other.
async fn scans(database: &DatabaseConnection) -> BTreeMap<String, i64> {
    let query = "SELECT relname::text, seq_scan FROM pg_stat_user_tables";
    let query = Statement::from_string(DbBackend::Postgres, query);
    let rows = Scans::find_by_statement(query).all(database).await.unwrap();
    let rows = rows.into_iter().map(|row| (row.relname, row.seq_scan));
    rows.filter(|(table, _)| TABLES.contains(&table.as_str())).collect()
}

/// Waits until every connection of the server has ended: then all it did is counted.
async fn all_is_counted(database: &DatabaseConnection) {
    until("the server's connections have ended", async || {
        let query = "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'push-bouncer'";
        let query = Statement::from_string(DbBackend::Postgres, query);
        database.query_one_raw(query).await.unwrap().is_none().then_some(())
    })
    .await;
}

/// What chat servers ask for most, with nothing in memory.
async fn requests(world: &World) {
    let forget = || world.clock.advance(Duration::from_secs(61));
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let app = world.app_build().await;
    let phones = ["iphone", "dead", "badtok", "oops"].map(Phone::apple);
    let phones = [&phones[..], &["android", "dead"].map(Phone::android)].concat();
    for user in [IAGO, IAGO.by_id(), User::number(9)] {
        for phone in &phones {
            server.register_phone(user, phone).await;
        }
        for _ in 0..2 {
            forget();
            let mut body = to(user, message());
            body["realm_uuid"] = REALM.into();
            let listed: Vec<&str> = phones.iter().map(|phone| phone.token.as_str()).collect();
            body["apple_devices"] = json!(listed);
            server.notify(&body).await;
        }
    }
    forget();
    test(&server, &phones[0]).await;
    forget();
    let unregistered = server.about_phone("push/unregister", IAGO, &phones[0], &[]).await;
    assert_eq!(unregistered.0, 200, "{}", unregistered.1);
    for phone in &phones {
        server.register_sealed(REALM, &app, phone, world.seconds()).await;
    }
    for _ in 0..2 {
        forget();
        let pushes: Vec<_> = phones.iter().map(|phone| phone.push("AA==")).collect();
        server.notify_encrypted(REALM, &pushes).await;
    }
    forget();
    let fields: Vec<(&str, String)> = IAGO.fields();
    assert_eq!(server.form("push/unregister/all", &fields).await.status, 200);
}

async fn test(server: &ChatServer, phone: &Phone) {
    let mut body = to(IAGO, json!({"base_payload": {"realm_id": 2}}));
    body["token"] = phone.token.as_str().into();
    body["token_kind"] = phone.token_kind().into();
    let reply = server.json("push/test_notification", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_reads_a_table_from_one_end_to_the_other() {
    let stage = Stage::set("").await;
    assert!(stage.has_server(), "set PUSH_BOUNCER_TEST_DATABASE_URL");
    let database = stage.database().await;
    database.execute_unprepared(&CROWD.replace("ROWS", &ROWS.to_string())).await.unwrap();
    let before = scans(&database).await;
    assert_eq!(before.len(), TABLES.len());
    let config = stage.surroundings.config().to_owned();
    let world = stage.serve(&config).await;
    requests(&world).await;
    let stage = world.stop().await;
    all_is_counted(&database).await;
    assert_eq!(scans(&database).await, before);
    stage.drop_database().await;
}
