//! Databases of our own on a PostgreSQL server, and what the server knows of them.

use std::fs;

use anyhow::{Context as _, ensure};
use push_bouncer::random::Random;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database as SeaOrm, DatabaseConnection, DbBackend,
    QueryResult, Statement,
};

use super::shared::cpu_seconds;

/// Where databases may be made; the tests use the same variable.
const VARIABLE: &str = "PUSH_BOUNCER_TEST_DATABASE_URL";
const DEFAULT: &str = "postgres://postgres@127.0.0.1/postgres";

/// How the program calls itself there.
const PROGRAM: &str = "application_name = 'push-bouncer' AND datname = current_database()";

/// A new database.
pub(crate) struct Database {
    name: String,
    pub(crate) url: String,
    pub(crate) connection: DatabaseConnection,
}

impl Database {
    pub(crate) async fn create() -> anyhow::Result<Self> {
        let server = connect(&server()).await?;
        let name = format!("push_bouncer_bench_{}", Random::default().uuid().simple());
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        server.close().await?;
        let url = url_of(&name)?;
        Ok(Self { connection: connect(&url).await?, name, url })
    }

    /// Takes it away, whoever uses it.
    pub(crate) async fn remove(&self) -> anyhow::Result<()> {
        let server = connect(&server()).await?;
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        server.execute_unprepared(&statement).await?;
        Ok(())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn execute(&self, statement: &str) -> anyhow::Result<()> {
        self.connection.execute_unprepared(statement).await?;
        Ok(())
    }

    pub(crate) async fn rows(&self, query: &str) -> anyhow::Result<Vec<QueryResult>> {
        let statement = Statement::from_string(DbBackend::Postgres, query);
        Ok(self.connection.query_all_raw(statement).await?)
    }

    /// The one number that a query answers.
    pub(crate) async fn number(&self, query: &str) -> anyhow::Result<i64> {
        let rows = self.rows(query).await?;
        Ok(rows.first().context("a row")?.try_get_by_index(0)?)
    }

    /// CPU seconds of the processes that serve the program; nothing where they are not on this machine.
    pub(crate) async fn cpu_of_program(&self) -> anyhow::Result<Option<f64>> {
        let mut seconds = 0.0;
        for row in self.rows(&format!("SELECT pid FROM pg_stat_activity WHERE {PROGRAM}")).await? {
            let process: i32 = row.try_get_by_index(0)?;
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            if name.trim() != "postgres" {
                return Ok(None);
            }
            seconds += cpu_seconds(process.unsigned_abs())?;
        }
        Ok(Some(seconds))
    }

    /// What the server noted of the program's doings; complete when its connections have ended.
    pub(crate) async fn activity(&self) -> anyhow::Result<Activity> {
        let query = format!("SELECT count(*) FROM pg_stat_activity WHERE {PROGRAM}");
        while self.number(&query).await? > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let row = "SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()), \
                   sum(idx_scan)::bigint, sum(seq_scan)::bigint, sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint \
                   FROM pg_stat_user_tables";
        let rows = self.rows(row).await?;
        let row = rows.first().context("a row")?;
        Ok(Activity {
            transactions: row.try_get_by_index(0)?,
            index_scans: row.try_get_by_index(1)?,
            table_scans: row.try_get_by_index(2)?,
            rows_written: row.try_get_by_index(3)?,
        })
    }
}

/// Numbers that only grow.
pub(crate) struct Activity {
    pub(crate) transactions: i64,
    pub(crate) index_scans: i64,
    pub(crate) table_scans: i64,
    pub(crate) rows_written: i64,
}

/// One connection, so that its settings stay.
pub(crate) async fn connect(url: &str) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(SeaOrm::connect(options).await?)
}

fn server() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned())
}

fn url_of(name: &str) -> anyhow::Result<String> {
    let server = server();
    ensure!(server.starts_with("postgres"), "`{VARIABLE}` names a PostgreSQL server");
    let (base, _) = server.rsplit_once('/').context("its URL ends in the name of a database")?;
    Ok(format!("{base}/{name}"))
}
