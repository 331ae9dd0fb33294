//! The schema: it can be made, taken back and made again, and has what the entities name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use entities::{
    audit_log, brakes, devices, e2ee_devices, import_positions, import_rows, installation_counts,
    push_counts, realm_audit_log, realm_counts, realm_user_counts, registration_key_uses,
    registration_keys, remote_realms, remote_servers, tombstone_periods,
};
use migrations::{Migrator, MigratorTrait as _};
use push_bouncer::{
    clock::Clock,
    config::DatabaseConfig,
    metrics::Metrics,
    random::Random,
    registry::{Readiness, Registry},
};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, EntityTrait,
    Statement,
};
use tempfile::TempDir;

use database::TestDatabase;

#[path = "integration/world/database.rs"]
mod database;

/// A database with nothing in it: a SQLite file, or one on the PostgreSQL server of the environment.
struct Empty {
    url: String,
    database: TestDatabase,
    _directory: TempDir,
}

impl Empty {
    async fn create() -> Self {
        let database = TestDatabase::create().await;
        let directory = TempDir::new().unwrap();
        let file = format!("sqlite://{}?mode=rwc", directory.path().join("x.sqlite").display());
        let url = database.url().map_or(file, str::to_owned);
        Self { url, database, _directory: directory }
    }

    async fn connect(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }
}

#[tokio::test]
async fn the_schema_goes_up_down_to_nothing_and_up_again() {
    let empty = Empty::create().await;
    let connection = empty.connect().await;
    assert_eq!(schema(&connection).await, Vec::<String>::new());

    Migrator::up(&connection, None).await.unwrap();
    let first = schema(&connection).await;
    assert!(first.len() > 40, "{first:#?}");
    Migrator::down(&connection, None).await.unwrap();
    assert_eq!(schema(&connection).await, Vec::<String>::new(), "nothing is left behind");
    Migrator::up(&connection, None).await.unwrap();
    assert_eq!(schema(&connection).await, first);

    connection.close().await.unwrap();
    empty.database.remove().await;
}

#[tokio::test]
async fn each_migration_can_be_taken_back_and_made_again() {
    let empty = Empty::create().await;
    let connection = empty.connect().await;
    for migration in Migrator::migrations() {
        let before = schema(&connection).await;
        Migrator::up(&connection, Some(1)).await.unwrap();
        let after = schema(&connection).await;
        assert_ne!(before, after, "{} changes something", migration.name());
        Migrator::down(&connection, Some(1)).await.unwrap();
        assert_eq!(schema(&connection).await, before, "{} is taken back", migration.name());
        Migrator::up(&connection, Some(1)).await.unwrap();
        assert_eq!(schema(&connection).await, after);
    }
    connection.close().await.unwrap();
    empty.database.remove().await;
}

#[tokio::test]
async fn a_migration_that_stopped_in_between_is_finished_by_the_next_start() {
    let empty = Empty::create().await;
    let connection = empty.connect().await;
    for migration in Migrator::migrations() {
        let name = migration.name();
        let before = schema(&connection).await;
        Migrator::up(&connection, Some(1)).await.unwrap();
        let Some((_, undone)) = STOPPED.iter().find(|(stopped, _)| *stopped == name) else {
            continue;
        };
        let after = schema(&connection).await;
        // Everything was done, and part of it, but not noted.
        for undone in [&[][..], undone] {
            for statement in undone {
                connection.execute_unprepared(statement).await.unwrap();
            }
            let forget = format!("DELETE FROM seaql_migrations WHERE version = '{name}'");
            connection.execute_unprepared(&forget).await.unwrap();
            Migrator::up(&connection, Some(1)).await.unwrap();
            assert_eq!(schema(&connection).await, after, "{name} is finished");
        }
        for statement in *undone {
            connection.execute_unprepared(statement).await.unwrap();
        }
        Migrator::down(&connection, Some(1)).await.unwrap();
        assert_eq!(schema(&connection).await, before, "{name} is taken back");
        Migrator::up(&connection, Some(1)).await.unwrap();
        assert_eq!(schema(&connection).await, after);
    }
    connection.close().await.unwrap();
    empty.database.remove().await;
}

/// Migrations of several statements, and what takes back the last of them.
const STOPPED: [(&str, &[&str]); 6] = [
    (
        "m0006_standing",
        &[
            "ALTER TABLE remote_realms DROP COLUMN user_count",
            "ALTER TABLE remote_servers DROP COLUMN audit_log_updated_at",
        ],
    ),
    (
        "m0011_realms_of_servers",
        &[
            r#"CREATE INDEX "remote_realms_server" ON "remote_realms" ("server_id")"#,
            "DROP INDEX remote_realms_presence",
        ],
    ),
    ("m0013_registration_keys", &["DROP TABLE registration_key_uses"]),
    (
        "m0017_tombstones",
        &["DROP INDEX e2ee_devices_suspected_at", "DROP INDEX e2ee_devices_expired_at"],
    ),
    ("m0018_old_rows", &["DROP INDEX push_counts_time", "DROP INDEX installation_counts_time"]),
    ("m0020_imports", &["DROP TABLE tombstone_periods", "DROP INDEX import_rows_target"]),
];

#[tokio::test]
async fn devices_that_are_gone_do_not_come_back_to_life_with_an_older_schema() {
    let empty = Empty::create().await;
    let connection = empty.connect().await;
    Migrator::up(&connection, None).await.unwrap();
    let server =
        remote_servers::Entity::insert(a_server()).exec(&connection).await.unwrap().last_insert_id;
    for (user_id, gone_at) in [(1, None), (2, Some(5))] {
        let device = devices::ActiveModel {
            server_id: Set(server),
            user_id: Set(Some(user_id)),
            kind: Set(1),
            token: Set(entities::redacted::RedactedText("aa".to_owned())),
            token_digest: Set(entities::redacted::RedactedBytes(vec![0; 16])),
            registered_at: Set(0),
            gone_at: Set(gone_at),
            ..Default::default()
        };
        devices::Entity::insert(device).exec(&connection).await.unwrap();
    }
    let steps = Migrator::migrations()
        .iter()
        .rev()
        .position(|migration| migration.name() == "m0015_gone_devices")
        .unwrap();
    let steps = u32::try_from(steps + 1).unwrap();
    Migrator::down(&connection, Some(steps)).await.unwrap();
    Migrator::up(&connection, None).await.unwrap();
    let left = devices::Entity::find().all(&connection).await.unwrap();
    assert_eq!(left.iter().map(|row| row.user_id).collect::<Vec<_>>(), [Some(1)]);
    connection.close().await.unwrap();
    empty.database.remove().await;
}

#[tokio::test]
async fn the_schema_has_every_column_the_entities_name() {
    let empty = Empty::create().await;
    let connection = empty.connect().await;
    Migrator::up(&connection, None).await.unwrap();
    // A query names every column of its entity.
    assert!(remote_servers::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(remote_realms::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(devices::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(push_counts::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(audit_log::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(realm_counts::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(installation_counts::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(realm_audit_log::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(realm_user_counts::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(e2ee_devices::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(registration_keys::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(brakes::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(registration_key_uses::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(import_rows::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(import_positions::Entity::find().one(&connection).await.unwrap().is_none());
    assert!(tombstone_periods::Entity::find().one(&connection).await.unwrap().is_none());
    connection.close().await.unwrap();
    empty.database.remove().await;
}

#[tokio::test]
async fn a_second_start_changes_nothing() {
    let empty = Empty::create().await;
    start(&empty.url).await;
    let connection = empty.connect().await;
    let first = schema(&connection).await;
    remote_servers::Entity::insert(a_server()).exec(&connection).await.unwrap();

    start(&empty.url).await;

    assert_eq!(schema(&connection).await, first);
    assert_eq!(
        Migrator::get_applied_migrations(&connection).await.unwrap().len(),
        Migrator::migrations().len()
    );
    let kept = remote_servers::Entity::find().all(&connection).await.unwrap();
    assert_eq!(kept.len(), 1);
    connection.close().await.unwrap();
    empty.database.remove().await;
}

#[tokio::test]
async fn who_may_not_migrate_does_not_start_on_an_empty_database() {
    let empty = Empty::create().await;
    let config = DatabaseConfig {
        url: Some(empty.url.clone()),
        auto_migrate: false,
        ..DatabaseConfig::default()
    };
    let opened = Registry::open(&config, Clock::default(), Arc::new(Metrics::default())).await;
    let complaint = opened.err().expect("it is refused").to_string();
    let expected = format!("the schema lacks {} migrations", Migrator::migrations().len());
    assert!(complaint.starts_with(&expected), "{complaint}");
    let connection = empty.connect().await;
    assert!(remote_servers::Entity::find().one(&connection).await.is_err(), "there is no table");
    connection.close().await.unwrap();
    empty.database.remove().await;
}

/// What the program does with its database when it starts.
async fn start(url: &str) {
    let config = DatabaseConfig { url: Some(url.to_owned()), ..DatabaseConfig::default() };
    let registry =
        Registry::open(&config, Clock::default(), Arc::new(Metrics::default())).await.unwrap();
    assert_eq!(registry.readiness().await, Readiness::Database);
    registry.close().await.unwrap();
}

fn a_server() -> remote_servers::ActiveModel {
    remote_servers::ActiveModel {
        uuid: Set(Random::default().uuid()),
        key_hash: Set(entities::redacted::RedactedBytes(vec![0; 32])),
        hostname: Set("chat.example.org".to_owned()),
        contact_email: Set("admin@example.org".to_owned()),
        deactivated: Set(false),
        created_at: Set(0),
        updated_at: Set(0),
        ..Default::default()
    }
}

/// Every column and every index, but for the list of migrations itself, sorted.
async fn schema(connection: &DatabaseConnection) -> Vec<String> {
    let query = match connection.get_database_backend() {
        DbBackend::Sqlite => {
            "SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\"
                 || ' ' || coalesce(c.dflt_value, '') || ' ' || c.pk AS line
             FROM sqlite_master t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'seaql_migrations'
             UNION ALL
             SELECT 'index ' || coalesce(sql, name) FROM sqlite_master
             WHERE type = 'index' AND tbl_name <> 'seaql_migrations'
             ORDER BY line"
        }
        _ => {
            "SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' '
                 || is_nullable || ' ' || coalesce(column_default, '') AS line
             FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name <> 'seaql_migrations'
             UNION ALL
             SELECT 'index ' || indexdef FROM pg_indexes
             WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'
             ORDER BY line"
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "line").unwrap()).collect()
}
