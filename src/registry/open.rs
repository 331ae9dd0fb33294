//! Opening the database.

use std::{
    fs::OpenOptions, io, os::unix::fs::OpenOptionsExt as _, str::FromStr as _, sync::Arc,
    time::Duration,
};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{
    Registry,
    schema::{May, bring_up_to_date},
};
use crate::{clock::Clock, config::DatabaseConfig, metrics::Metrics};

/// A connection that was idle for longer is asked whether it still works before it is used.
const TEST_IF_IDLE_FOR: Duration = Duration::from_secs(30);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file that holds the URL cannot be read.
    #[error("cannot read `{path}`: {source}")]
    UrlFile {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is neither SQLite nor PostgreSQL.
    #[error("`database.url` must begin with `sqlite:` or `postgres:`")]
    Scheme,
    /// The file of a SQLite database cannot be made.
    #[error("cannot make the file of the database: {0}")]
    Create(io::Error),
    /// It does not answer, or not as it should.
    #[error("cannot open the database: {0}")]
    Connect(DbErr),
    /// The schema could not be brought up to date.
    #[error("cannot bring the schema up to date: {0}")]
    Migrate(DbErr),
    /// Another program is changing the schema, and does not finish.
    #[error("another program is changing the schema: {0}")]
    Locked(DbErr),
    /// The schema is older than the program, and the program may not change it.
    #[error(
        "the schema lacks {0} migrations; `push-bouncer db migrate` makes them, and so does the service when it starts with `database.auto_migrate = true`"
    )]
    Outdated(usize),
    /// The schema is newer than the program.
    #[error(
        "the schema is that of a newer push-bouncer: it has `{schema}`, and this one knows no more than `{program}`"
    )]
    Newer {
        /// The newest migration of the database.
        schema: String,
        /// The newest migration that the program knows.
        program: String,
    },
}

impl Registry {
    /// Opens the database; a SQLite file is made when it is missing.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or its schema is not the program's.
    pub async fn open(
        config: &DatabaseConfig,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let database = connect(config, true).await?;
        let may = if config.auto_migrate { May::Always } else { May::Never };
        bring_up_to_date(&database, may).await?;
        Ok(Self::new(database, clock, metrics))
    }

    /// The same for a program beside the service: a schema that has any of our migrations may be in use by an
    /// older service, so it is left as it is.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or its schema is not the program's.
    pub async fn open_beside(
        config: &DatabaseConfig,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let database = connect(config, true).await?;
        let may = if config.auto_migrate { May::IfEmpty } else { May::Never };
        bring_up_to_date(&database, may).await?;
        Ok(Self::new(database, clock, metrics))
    }
}

/// Connects to the database of these settings; whether a SQLite file is made when it is missing.
pub(super) async fn connect(
    config: &DatabaseConfig,
    may_create: bool,
) -> Result<DatabaseConnection, OpenError> {
    let url = url(config)?;
    let is_sqlite = url.starts_with("sqlite:");
    if !is_sqlite && !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
        return Err(OpenError::Scheme);
    }
    if is_sqlite && may_create {
        create_for_us_alone(&url).map_err(OpenError::Create)?;
    }
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .test_before_acquire_if_idle_for(TEST_IF_IDLE_FOR)
        // sqlx would log statements, and sea-orm their values with them.
        .sqlx_logging(false);
    let timeout = config.statement_timeout;
    if is_sqlite {
        // A statement that waits for another writer waits in SQLite, for at most this long.
        options.map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .create_if_missing(may_create)
                .journal_mode(SqliteJournalMode::Wal)
                // In WAL mode a power cut may lose the last commits with NORMAL; what a client was told
                // is stored must be stored, so every commit is synced.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(timeout)
                .foreign_keys(true)
        });
    } else {
        options.map_sqlx_postgres_opts(move |postgres| {
            postgres
                .application_name("push-bouncer")
                .options([("statement_timeout", timeout.as_millis().to_string())])
        });
    }
    Database::connect(options).await.map_err(OpenError::Connect)
}

fn url(config: &DatabaseConfig) -> Result<String, OpenError> {
    match (&config.url, &config.url_file) {
        (Some(url), _) => Ok(url.clone()),
        (None, Some(path)) => std::fs::read_to_string(path)
            .map(|url| url.trim().to_owned())
            .map_err(|source| OpenError::UrlFile { path: path.display().to_string(), source }),
        (None, None) => Ok(DatabaseConfig::DEFAULT_URL.to_owned()),
    }
}

/// Makes the file of a SQLite database, if there is none: nobody else may read the tokens in it. What SQLite makes
/// beside it gets the same rights.
fn create_for_us_alone(url: &str) -> io::Result<()> {
    // A database in memory has no file.
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Ok(());
    }
    let options = SqliteConnectOptions::from_str(url).map_err(io::Error::other)?;
    let path = options.get_filename();
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Another program was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}
