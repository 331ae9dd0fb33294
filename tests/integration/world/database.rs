//! The database of one test.

use sea_orm::{ConnectionTrait as _, Database};

/// A PostgreSQL server on which databases may be made, for example `postgres://postgres@127.0.0.1/postgres`.
pub(super) const VARIABLE: &str = "PUSH_BOUNCER_TEST_DATABASE_URL";

/// A new database on the PostgreSQL server of the environment, or nothing without one: then the
/// test has a SQLite file.
pub(crate) struct TestDatabase(pub(super) Option<OnServer>);

pub(super) struct OnServer {
    server: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Makes it, empty.
    pub(crate) async fn create() -> Self {
        match std::env::var(VARIABLE) {
            Ok(server) => Self::on(server, "").await,
            Err(_) => Self(None),
        }
    }

    /// Makes it on this server; `how` stands behind the name in the statement.
    pub(super) async fn on(server: String, how: &str) -> Self {
        let id = push_bouncer::random::Random::default().uuid().simple();
        let name = format!("push_bouncer_{id}");
        execute(&server, &format!("CREATE DATABASE {name}{how}")).await;
        let url = url_of(&server, &name);
        Self(Some(OnServer { server, name, url }))
    }

    /// Its URL; none without a PostgreSQL server.
    pub(crate) fn url(&self) -> Option<&str> {
        self.0.as_ref().map(|database| database.url.as_str())
    }

    /// Takes it away under everybody who uses it. A test that fails does not come here, and leaves its
    /// database to be looked at.
    pub(crate) async fn remove(&self) {
        if let Self(Some(OnServer { server, name, .. })) = self {
            execute(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

/// The URL of another database on the same server.
pub(super) fn url_of(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').expect("the URL ends in the name of a database");
    format!("{base}/{name}")
}

async fn execute(server: &str, statement: &str) {
    let connection = Database::connect(server).await.expect("the PostgreSQL server answers");
    connection.execute_unprepared(statement).await.expect("the server does as it is told");
    connection.close().await.expect("the connection can be closed");
}
