//! Old rows are found by index, on both databases.

use std::collections::BTreeMap;

use migrations::{Migrator, MigratorTrait as _, SchemaManager};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseTransaction, Statement,
    TransactionTrait as _,
    sea_query::{PostgresQueryBuilder, SqliteQueryBuilder},
};

use super::*;

/// How a database would delete a batch of each part.
async fn plans(transaction: &DatabaseTransaction) -> Vec<(OldRows, String)> {
    let backend = transaction.get_database_backend();
    let manager = SchemaManager::new(transaction);
    for migration in Migrator::migrations() {
        migration.up(&manager).await.unwrap();
    }
    let now = Timestamp::from_unix_seconds(1_800_000_000);
    let config = RetentionConfig::default();
    let mut plans = Vec::new();
    for rows in RowGroup::ALL.iter().flat_map(|group| group.old_rows(&config, now)) {
        let statement = rows.delete_statement(backend);
        let explain = match backend {
            DbBackend::Sqlite => {
                format!("EXPLAIN QUERY PLAN {}", statement.to_string(SqliteQueryBuilder))
            }
            _ => format!("EXPLAIN {}", statement.to_string(PostgresQueryBuilder)),
        };
        let column = if backend == DbBackend::Sqlite { "detail" } else { "QUERY PLAN" };
        let steps = transaction.query_all_raw(Statement::from_string(backend, explain)).await;
        let steps = steps.unwrap().into_iter().map(|step| step.try_get("", column).unwrap());
        plans.push((rows, steps.collect::<Vec<String>>().join("\n")));
    }
    let tables: BTreeMap<_, _> = plans.iter().map(|(rows, _)| (rows.table(), ())).collect();
    assert_eq!(tables.len(), 8);
    // A key has a row for each day, and no other index.
    plans.retain(|(rows, _)| rows.table() != "registration_key_uses");
    plans
}

#[tokio::test]
async fn sqlite_finds_old_rows_by_index() {
    let database = Database::connect("sqlite::memory:").await.unwrap();
    let transaction = database.begin().await.unwrap();
    for (rows, plan) in plans(&transaction).await {
        let by_time = format!("{}<?)", rows.moment);
        assert!(plan.contains(&by_time), "{}:\n{plan}", rows.table());
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[tokio::test]
async fn postgresql_finds_old_rows_by_index() {
    let Ok(url) = std::env::var("PUSH_BOUNCER_TEST_DATABASE_URL") else { return };
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let database = Database::connect(options).await.unwrap();
    // Nothing of this stays.
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared("SET LOCAL search_path = pg_temp").await.unwrap();
    transaction.execute_unprepared(BY_INDEX).await.unwrap();
    for (rows, plan) in plans(&transaction).await {
        let is_by_time = |line: &str| {
            line.contains("Index Cond") && line.contains(&format!("{} <", rows.moment))
        };
        assert!(plan.lines().any(is_by_time), "{}:\n{plan}", rows.table());
        assert!(plan.contains("Tid Scan"), "{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
    }
    transaction.rollback().await.unwrap();
    database.close().await.unwrap();
}
