//! The schema of the database: which migrations it has, and how it gets those it lacks while other nodes start too.

mod plan;

use std::time::Duration;

use migrations::{Migrator, MigratorTrait as _, recorded};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

use super::open::{OpenError, connect};
use crate::config::DatabaseConfig;

pub use plan::{Effect, Step};

/// Who makes migrations on PostgreSQL holds this advisory lock: "pushbnce" in ASCII.
const LOCK: i64 = 0x7075_7368_626e_6365;

/// How long a node waits for another one that makes migrations.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// How long a migration waits for a table that others use; everybody who comes after it waits as long.
const TABLE_WAIT: Duration = Duration::from_secs(5);

/// Which migrations a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaStatus {
    /// Those it has and this program knows, oldest first.
    pub applied: Vec<String>,
    /// Those it lacks, oldest first.
    pub pending: Vec<String>,
    /// Those it has of a newer program, oldest first.
    pub unknown: Vec<String>,
}

impl SchemaStatus {
    fn of(recorded: Vec<String>) -> Self {
        let known: Vec<String> =
            Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
        let (applied, unknown) = recorded.into_iter().partition(|name| known.contains(name));
        let applied: Vec<String> = applied;
        let pending = known.into_iter().filter(|name| !applied.contains(name)).collect();
        Self { applied, pending, unknown }
    }

    /// Whether the database has what this program knows and nothing else.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty()
    }

    /// How many migrations this program knows.
    #[must_use]
    pub fn known(&self) -> usize {
        self.applied.len() + self.pending.len()
    }

    /// What a newer program has made may mean anything.
    fn refuse_unknown(&self) -> Result<(), OpenError> {
        let Some(newest) = self.unknown.last() else {
            return Ok(());
        };
        let known = Migrator::migrations().last().map(|migration| migration.name().to_owned());
        Err(OpenError::Newer { schema: newest.clone(), program: known.unwrap_or_default() })
    }
}

/// The schema of a database that nobody else in this process uses.
pub struct Schema {
    database: DatabaseConnection,
}

impl Schema {
    /// Connects; whether a SQLite file is made when it is missing: whoever makes it owns it.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened.
    pub async fn open(config: &DatabaseConfig, may_create: bool) -> Result<Self, OpenError> {
        Ok(Self { database: connect(config, may_create, None).await? })
    }

    /// Which migrations the database has; changes nothing.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn status(&self) -> Result<SchemaStatus, OpenError> {
        status(&self.database).await
    }

    /// What [`Schema::migrate`] would do; changes nothing.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a newer program has changed its schema.
    pub async fn plan(&self) -> Result<Vec<Step>, OpenError> {
        self.status().await?.refuse_unknown()?;
        plan::plan(&self.database).await.map_err(OpenError::Migrate)
    }

    /// Makes the migrations that the database lacks, each of them wholly or not at all, and gives the names of those
    /// it made. Another program that does so at this moment is waited for, a minute at most.
    ///
    /// # Errors
    ///
    /// When the database does not answer, the other program does not finish, or a newer program has changed the
    /// schema.
    pub async fn migrate(&self) -> Result<Vec<String>, OpenError> {
        migrate(&self.database).await
    }

    /// Ends the connections.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub async fn close(self) -> Result<(), OpenError> {
        self.database.close().await.map_err(OpenError::Connect)
    }
}

/// Brings the schema up to date, if that is allowed. The usual case, that nothing is missing, takes no lock:
/// nodes that start together do not wait for each other.
pub(super) async fn bring_up_to_date(
    database: &DatabaseConnection,
    may: May,
) -> Result<(), OpenError> {
    let SchemaStatus { applied, pending, .. } = {
        let status = status(database).await?;
        status.refuse_unknown()?;
        status
    };
    let may = match may {
        May::Never => false,
        May::IfEmpty => applied.is_empty(),
        May::Always => true,
    };
    if pending.is_empty() {
        return Ok(());
    }
    if !may {
        return Err(OpenError::Outdated(pending.len()));
    }
    let made = migrate(database).await?;
    if !made.is_empty() {
        tracing::info!(
            event = "database.migrated",
            migrations = made.len(),
            "brought the schema up to date"
        );
    }
    Ok(())
}

/// When the schema may be changed.
#[derive(Clone, Copy)]
pub(super) enum May {
    Never,
    /// A schema that has any of our migrations may be in use by an older program.
    IfEmpty,
    Always,
}

async fn status(database: &DatabaseConnection) -> Result<SchemaStatus, OpenError> {
    recorded(database).await.map(SchemaStatus::of).map_err(OpenError::Migrate)
}

async fn migrate(database: &DatabaseConnection) -> Result<Vec<String>, OpenError> {
    let mut made = Vec::new();
    loop {
        let transaction = lock(database).await?;
        // Another node may have made some while this one waited.
        let status =
            recorded(&transaction).await.map(SchemaStatus::of).map_err(OpenError::Migrate)?;
        status.refuse_unknown()?;
        let Some(next) = status.pending.into_iter().next() else {
            transaction.rollback().await.map_err(OpenError::Migrate)?;
            return Ok(made);
        };
        Migrator::up(&transaction, Some(1)).await.map_err(OpenError::Migrate)?;
        transaction.commit().await.map_err(OpenError::Migrate)?;
        made.push(next);
    }
}

/// A transaction that only one program at a time can have, for one migration: of one that is half made nobody sees
/// anything, and no table stays locked for what comes after it.
async fn lock(database: &DatabaseConnection) -> Result<DatabaseTransaction, OpenError> {
    if database.get_database_backend() == DbBackend::Sqlite {
        // Waits as long as any statement does.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        return database.begin_with_options(options).await.map_err(OpenError::Locked);
    }
    let transaction = database.begin().await.map_err(OpenError::Migrate)?;
    // An index of a large table takes longer than a statement of a request may.
    let settings = format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {}",
        LOCK_WAIT.as_millis()
    );
    execute(&transaction, &settings).await.map_err(OpenError::Migrate)?;
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
    execute(&transaction, &lock).await.map_err(OpenError::Locked)?;
    let settings = format!("SET LOCAL lock_timeout = {}", TABLE_WAIT.as_millis());
    execute(&transaction, &settings).await.map_err(OpenError::Migrate)?;
    Ok(transaction)
}

async fn execute(transaction: &DatabaseTransaction, statements: &str) -> Result<(), DbErr> {
    transaction.execute_unprepared(statements).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(names: &[&str]) -> SchemaStatus {
        SchemaStatus::of(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_a_database_has_is_known_unknown_or_missing() {
        let empty = status_of(&[]);
        assert_eq!(empty.pending.len(), Migrator::migrations().len());
        assert!(!empty.is_current());
        let all: Vec<&str> = empty.pending.iter().map(String::as_str).collect();
        assert!(status_of(&all).is_current());
        let newer = status_of(&[all.as_slice(), &["m9999_of_tomorrow"]].concat());
        assert_eq!((newer.pending.len(), newer.unknown.len()), (0, 1));
        assert!(!newer.is_current());
        let refused = newer.refuse_unknown().unwrap_err().to_string();
        assert!(refused.contains("m9999_of_tomorrow"), "{refused}");
    }
}
