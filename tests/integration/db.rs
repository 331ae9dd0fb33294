//! `push-bouncer db`, and what the service does with a schema that is not its own.

mod restored;

use std::time::Duration;

use futures_util::future::join_all;
use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};
use serde_json::json;
use tokio::time::sleep;

use crate::world::Stage;

/// The exit code of a program that may be started again later.
const TRY_LATER: i32 = 75;

fn all() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// A stage whose database has nothing in it.
async fn with_empty_database() -> (Stage, DatabaseConnection) {
    let stage = Stage::set("database.auto_migrate = false").await;
    // It makes the file of SQLite, if there is none yet.
    stage.done(&["db", "migrate"]).await;
    let database = stage.database().await;
    Migrator::down(&database, None).await.unwrap();
    (stage, database)
}

/// A stage whose database has the whole schema.
async fn with_schema() -> (Stage, DatabaseConnection) {
    let (stage, database) = with_empty_database().await;
    Migrator::up(&database, None).await.unwrap();
    (stage, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_start_together_make_the_schema_once() {
    let (stage, database) = with_empty_database().await;
    let started = (0..4).map(|_| stage.command(&["db", "migrate", "--json"]));
    let mut made = Vec::new();
    for printed in join_all(started).await {
        assert_eq!(printed.code, 0, "{printed:?}");
        made.extend(printed.json()["made"].as_array().unwrap().clone());
    }
    made.sort_by_key(ToString::to_string);
    assert_eq!(made, all(), "each was made by one of them");
    let status = stage.command(&["db", "status", "--json"]).await;
    assert_eq!(status.code, 0);
    assert_eq!(
        status.json(),
        json!({"is_current": true, "applied": all(), "pending": [], "unknown": []})
    );
    database.close().await.unwrap();
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_makes_migrations_waits_for_another_who_does() {
    let (stage, database) = with_empty_database().await;
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let other = database.begin_with_options(options).await.unwrap();
    if other.get_database_backend() == DbBackend::Postgres {
        other
            .execute_unprepared("SELECT pg_advisory_xact_lock(8103509996688270181)")
            .await
            .unwrap();
    }
    let finishing = async {
        sleep(Duration::from_millis(300)).await;
        Migrator::up(&other, None).await.unwrap();
        other.commit().await.unwrap();
    };
    let (printed, ()) = tokio::join!(stage.command(&["db", "migrate"]), finishing);
    assert_eq!((printed.code, printed.text.as_str()), (0, "The schema was up to date.\n"));
    database.close().await.unwrap();
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_and_planned_and_made() {
    let (stage, database) = with_schema().await;
    // It makes indexes of tables that others use; what came later goes with it.
    let kept = all().iter().position(|name| name == "m0018_old_rows").unwrap();
    let (count, missing) = (all().len(), all().split_off(kept));
    let lacks = u32::try_from(missing.len()).unwrap();
    Migrator::down(&database, Some(lacks)).await.unwrap();

    let status = stage.command(&["db", "status"]).await;
    let lines: String = missing.iter().map(|name| format!("{name}: missing\n")).collect();
    assert_eq!(
        (status.code, status.text),
        (1, format!("The schema has {kept} of {count} migrations.\n{lines}"))
    );
    assert!(status.complaint.contains("push-bouncer db migrate --plan"), "{}", status.complaint);
    let refused = stage.command(&["serve"]).await;
    assert_eq!(refused.code, TRY_LATER, "{refused:?}");
    assert!(
        refused.complaint.contains(&format!("lacks {lacks} migrations; `push-bouncer db migrate`"))
    );

    let planned = stage.command(&["db", "migrate", "--plan"]).await;
    assert_eq!(planned.code, 0);
    assert!(planned.text.starts_with(&format!("-- {}\n", missing[0])), "{}", planned.text);
    let blocking = planned.text.matches("cannot be written while this runs").count();
    assert_eq!(blocking, 5, "{}", planned.text);
    let steps = stage.command(&["db", "migrate", "--plan", "--json"]).await.json();
    assert_eq!(steps["statements"][0]["effect"], "blocks_writers");
    assert_eq!(steps["statements"][0]["rows"], 0);
    let after = migrations::recorded(&database).await.unwrap();
    assert_eq!(after.len(), kept, "a plan changes nothing");

    let made = stage.command(&["db", "migrate"]).await;
    assert_eq!((made.code, made.text), (0, format!("Made {}.\n", missing.join(", "))));
    assert_eq!(stage.command(&["db", "status"]).await.code, 0);
    database.close().await.unwrap();
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_for_an_empty_database_makes_it() {
    let (stage, database) = with_empty_database().await;
    let planned = stage.command(&["db", "migrate", "--plan"]).await;
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(!planned.text.contains("cannot be written"), "there is nothing to lock yet");
    assert_eq!(migrations::recorded(&database).await.unwrap(), Vec::<String>::new());
    database.execute_unprepared(&planned.text).await.unwrap();
    for table in ["remote_servers", "devices", "e2ee_devices", "brakes"] {
        assert!(
            migrations::SchemaManager::new(&database).has_table(table).await.unwrap(),
            "{table}"
        );
    }
    database.close().await.unwrap();
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_a_newer_program_is_left_alone() {
    let (stage, database) = with_schema().await;
    let newer =
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_of_tomorrow', 0)";
    database.execute_unprepared(newer).await.unwrap();
    let newest = all().pop().unwrap();
    for arguments in
        [&["serve"][..], &["db", "migrate"], &["db", "migrate", "--plan"], &["brake", "status"]]
    {
        let refused = stage.command(arguments).await;
        assert_eq!(refused.code, TRY_LATER, "{arguments:?}: {refused:?}");
        for name in ["m9999_of_tomorrow", newest.as_str()] {
            assert!(refused.complaint.contains(name), "{name} in {}", refused.complaint);
        }
    }
    let status = stage.command(&["db", "status", "--json"]).await;
    assert_eq!((status.code, &status.json()["unknown"]), (1, &json!(["m9999_of_tomorrow"])));
    database.close().await.unwrap();
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_made_by_a_migration_only_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let stage = Stage::set("").await;
    let text = std::fs::read_to_string(stage.surroundings.config_file()).unwrap();
    let file = stage.surroundings.config_file().with_file_name("another.sqlite");
    let url = format!("database.url = \"sqlite://{}\"", file.display());
    let is_url = |line: &&str| line.starts_with("database.url = ");
    let others = text.lines().filter(|line| !is_url(line));
    let lines: Vec<&str> = std::iter::once(url.as_str()).chain(others).collect();
    std::fs::write(stage.surroundings.config_file(), lines.join("\n")).unwrap();

    for arguments in [&["db", "status"][..], &["db", "migrate", "--plan"]] {
        assert_ne!(stage.command(arguments).await.code, 0, "there is no database");
        assert!(!file.exists(), "{arguments:?} made it");
    }
    stage.done(&["db", "migrate"]).await;
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stage.drop_database().await;
}
