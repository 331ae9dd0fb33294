//! The database of a reference bouncer, read in one snapshot and never written.

use std::{future::Future, str::FromStr as _, time::Duration};

use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    Row as _,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::time::timeout;

use super::{
    row::SourceRow,
    schema::{Schema, Selection},
};
use crate::{clock::Timestamp, registry::plain_on_this_machine};

/// How long a statement on the source may take: the first one of a large table counts its rows.
const STATEMENT: Duration = Duration::from_secs(10 * 60);

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(15);

/// Where a reference bouncer has its rows. It has no `Debug`: the URL may hold a password.
pub struct Source(PgConnectOptions);

/// Why the source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL is none of a PostgreSQL database.
    #[error("`--source` is no `postgres://` URL")]
    Url,
    /// It does not do what it is asked for.
    #[error("the source failed: {0}")]
    Database(#[from] sqlx::Error),
    /// It does not answer in time.
    #[error("the source does not answer")]
    Silent,
    /// There are no servers in it.
    #[error(
        "the source has no table `zilencer_remotezulipserver` that its user may read: it is not the database of a bouncer"
    )]
    NoBouncer,
}

impl Source {
    /// The database that a URL names; what it leaves out is that of libpq (`PGPASSWORD`, `~/.pgpass`).
    ///
    /// # Errors
    ///
    /// When it is no such URL.
    pub fn parse(url: &str) -> Result<Self, SourceError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(SourceError::Url);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| SourceError::Url)?;
        let options = plain_on_this_machine(options).application_name("push-bouncer import");
        Ok(Self(options.disable_statement_logging()))
    }

    /// All of it as it is now.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, SourceError> {
        let mut connection = match timeout(CONNECT, self.0.connect()).await {
            Ok(connected) => connected?,
            Err(_) => return Err(SourceError::Silent),
        };
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             SET LOCAL statement_timeout = {};
             SET LOCAL idle_in_transaction_session_timeout = 0",
            STATEMENT.as_millis()
        );
        within(connection.execute(AssertSqlSafe(begin))).await?;
        let mut snapshot =
            Snapshot { connection, schema: Schema::default(), taken_at: Timestamp::default() };
        let now = "SELECT floor(extract(epoch FROM now()) * 1000)::bigint";
        snapshot.taken_at = Timestamp::from_unix_millis(snapshot.number(now.to_owned()).await?);
        let columns = snapshot.pairs(super::schema::COLUMNS.to_owned()).await?;
        snapshot.schema = Schema::of(columns).ok_or(SourceError::NoBouncer)?;
        Ok(snapshot)
    }
}

/// The source as it was at one moment.
pub(super) struct Snapshot {
    connection: PgConnection,
    pub(super) schema: Schema,
    /// The moment, by the clock of the source.
    pub(super) taken_at: Timestamp,
}

impl Snapshot {
    /// Keys and versions of rows above a key, in order.
    pub(super) async fn versions(
        &mut self,
        selection: &Selection,
        above: i64,
        limit: usize,
    ) -> Result<Vec<(i64, i64)>, SourceError> {
        let query = selection.versions(limit);
        let rows = sqlx::query(AssertSqlSafe(query)).bind(above);
        let rows = within(rows.fetch_all(&mut self.connection)).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// The rows above one key and up to another, in order; at most so many.
    pub(super) async fn rows_between(
        &mut self,
        selection: &Selection,
        (above, up_to): (i64, i64),
        limit: usize,
    ) -> Result<Vec<SourceRow>, SourceError> {
        let rows =
            sqlx::query(AssertSqlSafe(selection.rows_between(limit))).bind(above).bind(up_to);
        let rows = within(rows.fetch_all(&mut self.connection)).await?;
        rows.iter().map(|row| source_row(selection, row)).collect()
    }

    /// The rows with these keys.
    pub(super) async fn rows_with(
        &mut self,
        selection: &Selection,
        keys: &[i64],
    ) -> Result<Vec<SourceRow>, SourceError> {
        let rows = sqlx::query(AssertSqlSafe(selection.rows_with())).bind(keys);
        let rows = within(rows.fetch_all(&mut self.connection)).await?;
        rows.iter().map(|row| source_row(selection, row)).collect()
    }

    /// The first key at or above each of these.
    pub(super) async fn keys_from(
        &mut self,
        selection: &Selection,
        from: &[i64],
    ) -> Result<Vec<i64>, SourceError> {
        let rows = sqlx::query(AssertSqlSafe(selection.keys_from())).bind(from);
        let rows = within(rows.fetch_all(&mut self.connection)).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The one number that a query gives, or 0.
    pub(super) async fn number(&mut self, query: String) -> Result<i64, SourceError> {
        let row = sqlx::query_scalar::<_, Option<i64>>(AssertSqlSafe(query));
        Ok(within(row.fetch_one(&mut self.connection)).await?.unwrap_or(0))
    }

    /// The pairs, or more texts, that a query gives.
    pub(super) async fn pairs(&mut self, query: String) -> Result<Vec<[String; 4]>, SourceError> {
        let rows = sqlx::query(AssertSqlSafe(query));
        let rows = within(rows.fetch_all(&mut self.connection)).await?;
        let text = |row: &PgRow, index| row.try_get::<Option<String>, _>(index).ok().flatten();
        let texts = |row: &PgRow| [0, 1, 2, 3].map(|index| text(row, index).unwrap_or_default());
        Ok(rows.iter().map(texts).collect())
    }

    /// Lets go of it.
    pub(super) async fn close(self) {
        // It ends either way.
        let _ = within(self.connection.close()).await;
    }
}

/// What cannot be read as text is not there.
fn source_row(selection: &Selection, row: &PgRow) -> Result<SourceRow, SourceError> {
    let values = (0..selection.len())
        .map(|index| row.try_get::<Option<String>, _>(index + 2).ok().flatten());
    Ok(SourceRow::new(row.try_get(0)?, row.try_get(1)?, selection.names(), values.collect()))
}

async fn within<T>(asking: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, SourceError> {
    match timeout(STATEMENT, asking).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(SourceError::Silent),
    }
}
