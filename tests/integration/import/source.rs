//! The database of a reference bouncer, as a test fills it.

use std::path::PathBuf;

use push_bouncer::domain::e2ee_device::TokenId;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};
use tempfile::TempDir;

use crate::world::{ChatServer, Printed, Stage, TestDatabase};

/// The tables of a newer bouncer.
pub(super) const ZULIP: &str = include_str!("../../import/zulip.sql");
/// Those of an old one, with a server and a device.
pub(super) const OLD: &str = include_str!("../../import/old.sql");
const ROWS: &str = include_str!("../../import/rows.sql");

/// The database, and where reports of what is taken from it go.
pub(super) struct Source {
    database: TestDatabase,
    connection: DatabaseConnection,
    directory: TempDir,
}

impl Source {
    /// One with these tables, on a PostgreSQL server: that is what a reference bouncer has.
    pub(super) async fn create(tables: &str) -> Self {
        let database = TestDatabase::create().await;
        let url =
            database.url().expect("an import needs PostgreSQL: set PUSH_BOUNCER_TEST_DATABASE_URL");
        let connection = Database::connect(url).await.unwrap();
        let source = Self { database, connection, directory: TempDir::new().unwrap() };
        source.execute(tables).await;
        source
    }

    /// The same with a row of every kind and every fault; the first server is this one.
    pub(super) async fn with_rows(server: &ChatServer) -> Self {
        let source = Self::create(ZULIP).await;
        let token_id = TokenId::of("6970686f6e65").stored().to_string();
        let rows = ROWS
            .replace("ORG_ID", &server.org_id)
            .replace("ORG_KEY", &server.org_key)
            .replace("TOKEN_ID", &token_id);
        source.execute(&rows).await;
        source
    }

    /// Does something there.
    pub(super) async fn execute(&self, statements: &str) {
        let statements = format!("SET search_path TO zulip, public; {statements}");
        self.connection.execute_unprepared(&statements).await.unwrap();
    }

    /// Holds back what asks for a certain lock, until the connection ends.
    pub(super) async fn hold(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(self.url());
        options.max_connections(1).min_connections(1);
        let connection = Database::connect(options).await.unwrap();
        connection.execute_unprepared("SELECT pg_advisory_lock(4711)").await.unwrap();
        connection
    }

    /// Its URL.
    pub(super) fn url(&self) -> &str {
        self.database.url().unwrap()
    }

    /// Where reports go.
    pub(super) fn report_file(&self) -> PathBuf {
        self.directory.path().join("import.csv")
    }

    /// The lines of the last report.
    pub(super) fn report(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.report_file()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// `import zulip` into the database of a stage.
    pub(super) async fn import(&self, stage: &Stage, more: &[&str]) -> Printed {
        let report = self.report_file();
        let mut arguments = vec!["import", "zulip", "--json", "--source", self.url()];
        arguments.extend(["--report", report.to_str().unwrap()]);
        arguments.extend(more);
        stage.command(&arguments).await
    }

    /// `import verify`.
    pub(super) async fn verify(&self, stage: &Stage) -> Printed {
        stage.command(&["import", "verify", "--json", "--source", self.url()]).await
    }

    /// Takes the database away.
    pub(super) async fn remove(self) {
        self.connection.close().await.unwrap();
        self.database.remove().await;
    }
}

/// A stage on each database there is.
pub(super) async fn stages() -> [Stage; 2] {
    [Stage::set_on_file().await, Stage::set("").await]
}
