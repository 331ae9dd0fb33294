//! Fills a database: the schema by the program's migrations, the rows by statements that make millions at once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use super::{
    database::{Database, connect},
    people::Size,
    report::progress,
    rows,
};

/// Devices of one statement.
const AT_ONCE: u64 = 250_000;

/// Connections that insert.
const WORKERS: usize = 2;

/// Memory of an index that is being built; for this connection only.
const MEMORY: &str = "SET maintenance_work_mem = '512MB'";

/// Fills it; how many seconds that took.
pub(crate) async fn fill(database: &Database, size: Size) -> anyhow::Result<f64> {
    let began = Instant::now();
    Migrator::up(&database.connection, None).await?;
    for statement in rows::servers(size) {
        database.execute(&statement).await?;
    }
    // An index is built more quickly than it is kept, and a key that was never wrong need not be checked.
    let parked = Parked::park(database).await?;
    let next = AtomicU64::new(0);
    let workers = (0..WORKERS).map(|_| insert(&database.url, size, &next));
    futures_util::future::try_join_all(workers).await?;
    progress(&format!("{} devices are there, indexes are built", size.devices()));
    parked.restore(&database.connection).await?;
    for table in ["remote_servers", "remote_realms", "devices"] {
        let sequence = format!("pg_get_serial_sequence('{table}', 'id')");
        database
            .execute(&format!("SELECT setval({sequence}, (SELECT max(id) FROM {table}))"))
            .await?;
    }
    database.execute("VACUUM (ANALYZE)").await?;
    Ok(began.elapsed().as_secs_f64())
}

/// Has the system read all of the database once: a server that has run for a while has it in memory.
pub(crate) async fn warm(database: &Database) -> anyhow::Result<()> {
    database.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm").await?;
    let query = "SELECT sum(pg_prewarm(oid, 'read'))::bigint FROM pg_class \
                 WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace";
    let pages = database.number(query).await?;
    progress(&format!("{} MB of it are read", pages * 8192 / 1_000_000));
    Ok(())
}

async fn insert(url: &str, size: Size, next: &AtomicU64) -> anyhow::Result<()> {
    let connection = connect(url).await?;
    loop {
        let from = next.fetch_add(AT_ONCE, Ordering::Relaxed);
        if from >= size.devices() {
            return Ok(connection.close().await?);
        }
        let to = size.devices().min(from + AT_ONCE);
        connection.execute_unprepared(&rows::devices(size, from, to)).await?;
    }
}

/// The indexes and constraints of `devices`, as statements that make them again.
struct Parked {
    statements: Vec<String>,
}

impl Parked {
    async fn park(database: &Database) -> anyhow::Result<Self> {
        let query = "SELECT format('ALTER TABLE devices DROP CONSTRAINT %I', conname), \
             format('ALTER TABLE devices ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) \
             FROM pg_constraint WHERE conrelid = 'devices'::regclass AND contype IN ('p', 'u', 'f') \
             UNION ALL SELECT format('DROP INDEX %I', indexrelid::regclass::text), pg_get_indexdef(indexrelid) \
             FROM pg_index WHERE indrelid = 'devices'::regclass AND NOT EXISTS \
             (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))";
        let mut statements = Vec::new();
        for row in database.rows(query).await? {
            let drop: String = row.try_get_by_index(0)?;
            database.execute(&drop).await?;
            statements.push(row.try_get_by_index(1)?);
        }
        Ok(Self { statements })
    }

    async fn restore(self, connection: &DatabaseConnection) -> anyhow::Result<()> {
        connection.execute_unprepared(MEMORY).await?;
        for statement in self.statements {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}
