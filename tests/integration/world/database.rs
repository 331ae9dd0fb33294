//! The database of one test.

use sea_orm::{ConnectionTrait as _, Database};

/// A PostgreSQL server on which databases may be made, for example `postgres://postgres@127.0.0.1/postgres`.
const VARIABLE: &str = "PUSH_BOUNCER_TEST_DATABASE_URL";

/// The URL of a new, empty database on the PostgreSQL server of the environment; `None` without one:
/// then the test has a SQLite file.
///
/// Databases are dropped by whoever owns the server; a test that fails leaves its own to be looked at.
pub(crate) async fn empty() -> Option<String> {
    let server = std::env::var(VARIABLE).ok()?;
    let name =
        format!("push_bouncer_{}", uuid::Builder::from_random_bytes(random()).into_uuid().simple());
    let connection = Database::connect(&server).await.expect("the PostgreSQL server answers");
    let statement = format!("CREATE DATABASE {name}");
    connection.execute_unprepared(&statement).await.expect("a database can be made");
    connection.close().await.expect("the connection can be closed");
    let (base, _) = server.rsplit_once('/').expect("the URL ends in the name of a database");
    Some(format!("{base}/{name}"))
}

fn random() -> [u8; 16] {
    push_bouncer::random::Random::default().bytes()
}
