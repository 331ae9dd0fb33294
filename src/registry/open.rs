//! Opening the database.

use std::{
    fs::OpenOptions, io, net::IpAddr, os::unix::fs::OpenOptionsExt as _, path::PathBuf,
    str::FromStr as _, sync::Arc, time::Duration,
};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{
        ConnectOptions as _, Connection as _, PgConnection,
        postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::time::{sleep, timeout};

use super::{
    Registry,
    contact::Contact,
    one_service::OneService,
    schema::{May, bring_up_to_date},
};
use crate::{clock::Clock, config::DatabaseConfig, metrics::Metrics};

/// A connection that was idle for longer is asked whether it still works before it is used.
const TEST_IF_IDLE_FOR: Duration = Duration::from_secs(30);

/// One whose last question got no answer has so long to show that it still works.
const WORKS_WITHIN: Duration = Duration::from_secs(1);

/// Before another one is tried in its place.
const PAUSE: Duration = Duration::from_millis(200);

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
    /// Another service uses the SQLite file.
    #[error(
        "another push-bouncer serves from the database `{file}`, and a SQLite file is for one service; end that one first, or give this one a `database.url` of its own; several nodes share a PostgreSQL database"
    )]
    InUse {
        /// The file.
        file: String,
    },
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
    /// Opens the database for a service; a SQLite file is made when it is missing, and no other service may have it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or another service has it, or its schema is not the program's.
    pub async fn open(
        config: &DatabaseConfig,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let may = if config.auto_migrate { May::Always } else { May::Never };
        // Before the schema is looked at, which only one program may change.
        let one_service = match sqlite_file(&url(config)?).map_err(OpenError::Create)? {
            Some(file) => Some(OneService::on(&file)?),
            None => None,
        };
        Box::pin(Self::open_if(may, config, one_service, clock, metrics)).await
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
        let may = if config.auto_migrate { May::IfEmpty } else { May::Never };
        Box::pin(Self::open_if(may, config, None, clock, metrics)).await
    }

    async fn open_if(
        may: May,
        config: &DatabaseConfig,
        one_service: Option<OneService>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let contact = Arc::new(Contact::new(clock.clone(), Arc::clone(&metrics)));
        let database = connect(config, true, Some(&contact)).await?;
        bring_up_to_date(&database, may).await?;
        Ok(Self::new(database, one_service, contact, config, clock, metrics))
    }
}

/// Connects to the database of these settings; whether a SQLite file is made when it is missing.
pub(super) async fn connect(
    config: &DatabaseConfig,
    may_create: bool,
    contact: Option<&Arc<Contact>>,
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
    let statement_timeout = config.statement_timeout;
    if is_sqlite {
        // A statement that waits for another writer waits in SQLite, for at most this long.
        options.map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .create_if_missing(may_create)
                .journal_mode(SqliteJournalMode::Wal)
                // In WAL mode a power cut may lose the last commits with NORMAL; what a client was told
                // is stored must be stored, so every commit is synced.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(statement_timeout)
                .foreign_keys(true)
        });
    } else {
        if let Some(contact) = contact.cloned() {
            let own = PgConnectOptions::from_str(options.get_url()).map_err(|error| {
                OpenError::Connect(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
            })?;
            let own = postgres_options(own.disable_statement_logging(), statement_timeout);
            options.map_sqlx_postgres_pool_opts(move |pool| {
                with_answering_connections(pool, own.clone(), Arc::clone(&contact))
            });
        }
        options
            .map_sqlx_postgres_opts(move |postgres| postgres_options(postgres, statement_timeout));
    }
    Database::connect(options).await.map_err(OpenError::Connect)
}

/// The driver waits without end for a connection that goes back to the pool while its last question is under way, and
/// even to close it. So where somebody did not answer, such a one is asked whether it works, and if it does not, a new
/// one takes its place as soon as the database is there.
fn with_answering_connections(
    pool: PgPoolOptions,
    options: PgConnectOptions,
    contact: Arc<Contact>,
) -> PgPoolOptions {
    pool.after_release(move |connection, _| {
        let (options, contact) = (options.clone(), Arc::clone(&contact));
        Box::pin(async move {
            if !contact.is_in_doubt() {
                return Ok(true);
            }
            while !matches!(timeout(WORKS_WITHIN, connection.ping()).await, Ok(Ok(()))) {
                contact.until_not_gone().await;
                match timeout(WORKS_WITHIN, PgConnection::connect_with(&options)).await {
                    Ok(Ok(new)) => *connection = new,
                    Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
                }
            }
            Ok(true)
        })
    })
}

/// A busy machine may leave a task alone for a moment.
const SHORTEST_STANDSTILL: Duration = Duration::from_secs(1);

/// What every connection to PostgreSQL is told.
fn postgres_options(options: PgConnectOptions, statement_timeout: Duration) -> PgConnectOptions {
    // Who stands still in a transaction (a machine that is paused, a process that is stopped) keeps rows that others wait
    // for: it must end while their own statements still have time.
    let idle_in_transaction = (statement_timeout / 2).max(SHORTEST_STANDSTILL);
    plain_on_this_machine(options).application_name("push-bouncer").options([
        ("statement_timeout", statement_timeout.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", idle_in_transaction.as_millis().to_string()),
    ])
}

/// Without TLS to a PostgreSQL on this machine, unless the URL asks for it: nobody is in between.
///
/// The driver writes each 16 kB of TLS by themselves and lets Nagle's algorithm be, so that on loopback each larger statement
/// waits 40 ms for an acknowledgement (decision 28).
pub(crate) fn plain_on_this_machine(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match options.get_ssl_mode() {
        PgSslMode::Prefer if is_here => options.ssl_mode(PgSslMode::Disable),
        _ => options,
    }
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
    let Some(path) = sqlite_file(url)? else { return Ok(()) };
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Another program was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// The file of a SQLite database; a database in memory has none, nor has PostgreSQL one here.
fn sqlite_file(url: &str) -> io::Result<Option<PathBuf>> {
    if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
        return Ok(None);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(io::Error::other)?;
    Ok(Some(options.get_filename().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_in_memory_and_one_on_a_server_have_no_file() {
        let file = |url| sqlite_file(url).unwrap();
        assert_eq!(file("sqlite:///var/lib/a.sqlite?mode=rwc"), Some("/var/lib/a.sqlite".into()));
        assert_eq!(file("sqlite://a.sqlite"), Some("a.sqlite".into()));
        for url in ["sqlite::memory:", "sqlite://a?mode=memory", "postgres://host/a.sqlite"] {
            assert_eq!(file(url), None, "{url}");
        }
    }

    #[test]
    fn to_a_database_on_this_machine_there_is_no_tls_unless_it_is_asked_for() {
        let is_plain = |url: &str| {
            let options = plain_on_this_machine(url.parse().unwrap());
            matches!(options.get_ssl_mode(), PgSslMode::Disable)
        };
        for host in ["127.0.0.1", "127.1.2.3:5433", "localhost", "[::1]:5432"] {
            assert!(is_plain(&format!("postgres://bouncer@{host}/bouncer")), "{host}");
            assert!(!is_plain(&format!("postgres://bouncer@{host}/bouncer?sslmode=require")));
        }
        for host in ["10.0.0.1", "db.example.org", "localhost.example.org", "[2001:db8::1]"] {
            assert!(!is_plain(&format!("postgres://bouncer@{host}/bouncer")), "{host}");
        }
    }
}
