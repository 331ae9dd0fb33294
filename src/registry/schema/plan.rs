//! What migrations would do, without doing it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use migrations::{Migrator, MigratorTrait as _, SchemaManager, recorded};
use sea_orm::{
    ConnectionTrait as _, Database, DatabaseConnection, DbBackend, DbErr, Statement,
    TransactionTrait as _, metric::Info,
};

/// One statement of a migration that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The migration's name.
    pub migration: String,
    /// The statement.
    pub sql: String,
    /// What it does to others.
    pub effect: Effect,
    /// Rows of the table it works on, on PostgreSQL as estimated; none for a table that does not exist yet.
    pub rows: Option<u64>,
}

/// What a statement does to those who use the database meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nobody uses what it makes.
    Nothing,
    /// The table cannot be written while it runs, which grows with the table.
    BlocksWriters,
    /// The table can neither be read nor written for a moment.
    LocksBriefly,
    /// Rows are written, and each of them is locked until the end.
    WritesRows,
}

impl Effect {
    /// Nothing for a question.
    fn of(sql: &str) -> Option<Self> {
        let begins = |words: &str| {
            sql.get(..words.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(words))
        };
        let begins_with = |all: &[&str]| all.iter().any(|words| begins(words));
        if begins_with(&["SELECT", "WITH", "PRAGMA"]) {
            None
        } else if begins_with(&["CREATE INDEX", "CREATE UNIQUE INDEX"]) {
            Some(Self::BlocksWriters)
        } else if begins_with(&["ALTER TABLE", "DROP"]) {
            Some(Self::LocksBriefly)
        } else if begins_with(&["UPDATE", "DELETE", "INSERT"]) {
            Some(Self::WritesRows)
        } else {
            Some(Self::Nothing)
        }
    }
}

/// The statements of all migrations that the database lacks.
///
/// The whole schema is made beside the real one, without a row, and taken back: on PostgreSQL among the temporary
/// tables of a transaction, for SQLite in memory.
pub(super) async fn plan(database: &DatabaseConnection) -> Result<Vec<Step>, DbErr> {
    let applied = recorded(database).await?;
    let heard = Heard::default();
    let mut beside = match database.get_database_backend() {
        DbBackend::Sqlite => Database::connect("sqlite::memory:").await?,
        _ => database.clone(),
    };
    beside.set_metric_callback(heard.listener());
    let transaction = beside.begin().await?;
    if database.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("SET LOCAL search_path = pg_temp").await?;
    }
    let manager = SchemaManager::new(&transaction);
    let mut statements = Vec::new();
    for migration in Migrator::migrations() {
        heard.take();
        migration.up(&manager).await?;
        if !applied.iter().any(|name| name == migration.name()) {
            let said = heard.take().into_iter().map(|sql| (migration.name().to_owned(), sql));
            statements.extend(said);
        }
    }
    transaction.rollback().await?;

    let mut steps = Vec::new();
    for (migration, sql) in statements {
        let Some(effect) = Effect::of(&sql) else { continue };
        let rows = match table_of(&sql) {
            Some(table) if effect != Effect::Nothing => rows_of(database, table).await?,
            _ => None,
        };
        steps.push(Step { migration, sql, effect, rows });
    }
    Ok(steps)
}

/// The statements that a connection was given.
#[derive(Clone, Default)]
struct Heard {
    statements: Arc<Mutex<Vec<String>>>,
}

impl Heard {
    fn listener(&self) -> impl Fn(&Info<'_>) + Send + Sync + 'static {
        let heard = self.clone();
        move |info| heard.statements().push(info.statement.to_string())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.statements())
    }

    fn statements(&self) -> MutexGuard<'_, Vec<String>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The table that a statement of ours works on: the first quoted name after the word that comes before a table.
fn table_of(sql: &str) -> Option<&str> {
    let before = ["TABLE ", " ON ", "UPDATE ", "INTO ", "FROM "];
    let at = before.iter().filter_map(|word| sql.find(word)).min()?;
    sql.get(at..)?.split('"').nth(1)
}

/// How many rows a table has; none if there is no such table.
async fn rows_of(database: &DatabaseConnection, table: &str) -> Result<Option<u64>, DbErr> {
    if !SchemaManager::new(database).has_table(table).await? {
        return Ok(None);
    }
    let backend = database.get_database_backend();
    // To count the rows of PostgreSQL would read the whole table. One that was never analysed has no estimate; a
    // row takes 100 bytes or more.
    let query = match backend {
        DbBackend::Postgres => {
            format!(
                "SELECT (CASE WHEN reltuples < 0 THEN pg_relation_size(oid) / 100 ELSE reltuples END)::bigint FROM pg_class WHERE oid = to_regclass('\"{table}\"')"
            )
        }
        _ => format!("SELECT COUNT(*) FROM \"{table}\""),
    };
    let row = database.query_one_raw(Statement::from_string(backend, query)).await?;
    let rows = row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
    Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        for (sql, effect, table) in [
            (r#"CREATE TABLE IF NOT EXISTS "devices" ( "id" bigint )"#, Effect::Nothing, "devices"),
            (r#"CREATE UNIQUE INDEX "a" ON "devices" ("b")"#, Effect::BlocksWriters, "devices"),
            (
                r#"CREATE INDEX IF NOT EXISTS "a" ON "devices" ("b")"#,
                Effect::BlocksWriters,
                "devices",
            ),
            (r#"ALTER TABLE "devices" ADD COLUMN "c" text"#, Effect::LocksBriefly, "devices"),
            (r#"UPDATE "devices" SET "a" = 1"#, Effect::WritesRows, "devices"),
            (r#"INSERT INTO "devices" ("a") SELECT 1 FROM "b""#, Effect::WritesRows, "devices"),
        ] {
            assert_eq!((Effect::of(sql), table_of(sql)), (Some(effect), Some(table)), "{sql}");
        }
    }

    #[test]
    fn a_question_is_no_step() {
        assert_eq!(Effect::of("SELECT 1"), None);
    }
}
