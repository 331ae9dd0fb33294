//! A database with all migrations done, of which each test gets a copy: that takes a fraction of the time.

use std::{fs, path::Path};

use migrations::{Migrator, MigratorTrait as _};
use ring::digest::{Context, SHA256};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
};

use super::database::{TestDatabase, VARIABLE, url_of};

/// Who makes the template holds this lock of the server; any number will do.
const LOCK: i64 = 0x7075_7368;

/// A copy of it; nothing without a PostgreSQL server.
pub(super) async fn copy() -> TestDatabase {
    match std::env::var(VARIABLE) {
        Ok(server) => {
            let template = template(&server).await;
            TestDatabase::on(server, &format!(" TEMPLATE {template}")).await
        }
        Err(_) => TestDatabase::create().await,
    }
}

/// Its name; whoever comes first makes it.
async fn template(server: &str) -> String {
    let name = format!("push_bouncer_template_{}", digest_of_migrations());
    // The lock belongs to a connection, so there is only one.
    let connection = connect(server).await;
    if !exists(&connection, &name).await {
        execute(&connection, &format!("SELECT pg_advisory_lock({LOCK})")).await;
        if !exists(&connection, &name).await {
            make(server, &connection, &name).await;
        }
    }
    connection.close().await.expect("the connection can be closed");
    name
}

/// Other migrations are another template.
fn digest_of_migrations() -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/src");
    let entries = fs::read_dir(directory).expect("the migrations are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.sort();
    let mut digest = Context::new(&SHA256);
    for file in files {
        digest.update(&fs::read(file).expect("it can be read"));
    }
    digest.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes it under another name first: what has the name is whole.
async fn make(server: &str, connection: &DatabaseConnection, name: &str) {
    let unfinished = format!("{name}_unfinished");
    execute(connection, &format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
    execute(connection, &format!("CREATE DATABASE {unfinished}")).await;
    let migrated = connect(&url_of(server, &unfinished)).await;
    Migrator::up(&migrated, None).await.expect("the migrations can be done");
    migrated.close().await.expect("the connection can be closed");
    execute(connection, &format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await;
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("the PostgreSQL server answers")
}

async fn exists(connection: &DatabaseConnection, name: &str) -> bool {
    let query = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    let statement = Statement::from_string(DbBackend::Postgres, query);
    connection.query_one_raw(statement).await.expect("the server answers").is_some()
}

async fn execute(connection: &DatabaseConnection, statement: &str) {
    connection.execute_unprepared(statement).await.expect("the server does as it is told");
}
