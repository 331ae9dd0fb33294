//! `push-bouncer purge` beside others who use the database.

use std::process::Stdio;

use entities::devices;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ConnectionTrait as _, DatabaseConnection, DbBackend,
    EntityTrait as _, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use serde_json::Value;
use tokio::process::Command;

use super::rows::{counted, days_ago, device, many_counts};
use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_comes_back_meanwhile_is_not_deleted() {
    let world = World::start("").await;
    let database = world.database().await;
    let server = world.chat_server("chat.selfhosted.test").await.stored(&database).await;
    for user in [1, 2] {
        let gone = device(server.id, user, Some(days_ago(100)));
        devices::Entity::insert(gone).exec(&database).await.unwrap();
    }
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let registering = database.begin_with_options(options).await.unwrap();
    let row = devices::Entity::find().one(&registering).await.unwrap().unwrap();
    let back = devices::ActiveModel { id: Set(row.id), gone_at: Set(None), ..Default::default() };
    back.update(&registering).await.unwrap();
    let finishing = async {
        // On SQLite nobody can be seen waiting.
        if database.get_database_backend() == DbBackend::Postgres {
            until("the command waits for the row", async || {
                (number(&database, WAITING).await > 0).then_some(())
            })
            .await;
        }
        registering.commit().await.unwrap();
    };
    let arguments = ["purge", "--what", "devices", "--json"];
    let (purged, ()) = tokio::join!(world.command(&arguments), finishing);
    assert_eq!((purged.code, &purged.json()["rows"]), (0, &1.into()), "{purged:?}");
    let left = devices::Entity::find().all(&database).await.unwrap();
    assert_eq!(left.iter().map(|row| (row.id, row.gone_at)).collect::<Vec<_>>(), [(row.id, None)]);
    world.shutdown().await;
}

/// Those who wait for somebody else's lock in this database.
const WAITING: &str = "SELECT count(*) AS number FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

async fn number(database: &DatabaseConnection, query: &str) -> i64 {
    let statement = Statement::from_string(database.get_database_backend(), query);
    let row = database.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "number").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_small_and_reads_no_other_rows() {
    let world = World::start("").await;
    let database = world.database().await;
    let server = world.chat_server("chat.selfhosted.test").await.stored(&database).await;
    many_counts(&database, server.id, 1..=2500, 100).await;
    many_counts(&database, server.id, 2501..=40_000, 1).await;
    let is_postgres = database.get_database_backend() == DbBackend::Postgres;
    if is_postgres {
        database.execute_unprepared(NOTE_BATCHES).await.unwrap();
    }
    let scans = "SELECT seq_scan AS number FROM pg_stat_user_tables WHERE relname = 'realm_counts'";
    // Each row that is looked at is compared with the newest of its server, which is found in this index.
    let looks = "SELECT idx_scan AS number FROM pg_stat_user_indexes
        WHERE indexrelname = 'realm_counts_pkey'";
    let mut before = (0, 0);
    if is_postgres {
        before = (number(&database, scans).await, number(&database, looks).await);
    }
    let purged = world.command(&["purge", "--json"]).await;
    assert_eq!(purged.json()["tables"]["realm_counts"], 2500, "{purged:?}");
    if is_postgres {
        // The counters of a program's connections are complete when it has ended.
        assert_eq!(number(&database, scans).await, before.0, "the table is not read as a whole");
        let looked_at = number(&database, looks).await - before.1;
        assert!(looked_at <= 2510, "{looked_at} rows are looked at");
        let batches = "SELECT count(*) AS number FROM batches WHERE size > 0";
        assert_eq!(number(&database, batches).await, 3);
        let largest = "SELECT max(size) AS number FROM batches";
        assert_eq!(number(&database, largest).await, 1000);
    }
    assert_eq!(counted(&database).await["realm_counts"], 37_500);
    world.shutdown().await;
}

/// Writes down how many rows each statement deletes, and keeps statistics of the table from PostgreSQL.
const NOTE_BATCHES: &str = "
    ALTER TABLE realm_counts SET (autovacuum_enabled = off);
    CREATE TABLE batches (size bigint);
    CREATE FUNCTION note_batch() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO batches SELECT count(*) FROM gone; RETURN NULL; END $$;
    CREATE TRIGGER note_batch AFTER DELETE ON realm_counts REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION note_batch();";

#[tokio::test(flavor = "multi_thread")]
async fn who_is_interrupted_ends_after_a_batch_and_goes_on_later() {
    const ROWS: u64 = 60_000;
    let world = World::start("").await;
    let database = world.database().await;
    let server = world.chat_server("chat.selfhosted.test").await.stored(&database).await;
    many_counts(&database, server.id, 1..=60_001, 100).await;
    let purging = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
        .args(["purge", "--json", "--config"])
        .arg(world.surroundings.config_file())
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("the first batch is deleted", async || {
        (counted(&database).await["realm_counts"] <= ROWS).then_some(())
    })
    .await;
    let id = purging.id().unwrap().to_string();
    assert!(
        std::process::Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success()
    );
    let ended = purging.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(told["error"]["code"], "interrupted");
    assert_eq!(told["error"]["help"], "resume with the same command");
    let left = counted(&database).await["realm_counts"] - 1;
    assert!(left > 0 && left.is_multiple_of(1000), "{left} are left: whole batches went");
    let message = format!("interrupted; {} rows are deleted", ROWS - left);
    assert_eq!(told["error"]["message"], message);
    // Nobody waits here for all of them. The newest row stays, as always: the statement asks for it again and again.
    database.execute_unprepared("DELETE FROM realm_counts WHERE remote_id < 58500").await.unwrap();
    let purged = world.command(&["purge", "--json"]).await;
    assert_eq!(purged.code, 0, "{purged:?}");
    assert!(counted(&database).await["realm_counts"] <= 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_ends_with_its_code() {
    let world = World::start("").await;
    let refused = world.command(&["purge", "--what", "everything"]).await;
    assert_eq!(refused.code, 2);
    assert!(refused.complaint.contains("devices, stats, audit"), "{}", refused.complaint);
    let database = world.database().await;
    database.execute_unprepared("ALTER TABLE push_counts RENAME TO elsewhere").await.unwrap();
    let failed = world.command(&["purge", "--json"]).await;
    assert_eq!((failed.code, &failed.json()["error"]["code"]), (69, &"unavailable".into()));
    database.execute_unprepared("ALTER TABLE elsewhere RENAME TO push_counts").await.unwrap();
    world.shutdown().await;
}
