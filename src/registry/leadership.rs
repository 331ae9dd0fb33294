//! Which node does the work that one of them does for all.

use std::{future::Future, time::Duration};

use sea_orm::{
    DbBackend, DbErr, RuntimeErr,
    sqlx::{self, Connection as _, PgConnection},
};
use tokio::time::timeout;

use super::{Registry, RegistryError};

/// The leader holds this advisory lock on PostgreSQL, beside the one for migrations: "pushlead" in ASCII.
const LOCK: i64 = 0x7075_7368_6c65_6164;

/// A connection that does not answer within this is lost.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The server notices within two minutes that the leader's machine is gone.
const KEEPALIVE: &str =
    "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 15; SET tcp_keepalives_count = 4";

/// This node's claim to be the leader. On SQLite a database has one node, which is it.
///
/// The lock belongs to a connection that nobody else uses: when it ends, for whatever reason, another node may lead.
/// Who is dropped while it asks gives up its claim.
pub struct Leadership {
    registry: Registry,
    held: Option<PgConnection>,
}

impl Registry {
    /// A claim to be the leader, not made yet.
    #[must_use]
    pub fn leadership(&self) -> Leadership {
        Leadership { registry: self.clone(), held: None }
    }
}

impl Leadership {
    /// Becomes or stays the leader, unless another node is; says whether it is.
    ///
    /// # Errors
    ///
    /// When the database fails; this node does not lead then.
    pub async fn hold(&mut self) -> Result<bool, RegistryError> {
        let database = &self.registry.inner.database;
        if database.get_database_backend() != DbBackend::Postgres {
            return Ok(true);
        }
        if let Some(mut connection) = self.held.take()
            && within(sqlx::query("SELECT 1").execute(&mut connection)).await.is_ok()
        {
            self.held = Some(connection);
            return Ok(true);
        }
        let pool = database.get_postgres_connection_pool();
        self.held = self.registry.ask(|| Box::pin(claim(pool))).await?;
        Ok(self.held.is_some())
    }

    /// Lets another node lead.
    pub async fn release(&mut self) {
        if let Some(connection) = self.held.take() {
            // It ends either way.
            let _ = within(connection.close()).await;
        }
    }
}

/// A connection of its own that holds the lock; none where another one does.
async fn claim(pool: &sqlx::PgPool) -> Result<Option<PgConnection>, DbErr> {
    // First of all out of the pool: no lock must stay on a connection that goes back to it.
    let mut connection = within(pool.acquire()).await?.detach();
    within(sqlx::raw_sql(KEEPALIVE).execute(&mut connection)).await?;
    let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
    if within(lock.fetch_one(&mut connection)).await? {
        return Ok(Some(connection));
    }
    within(connection.close()).await?;
    Ok(None)
}

async fn within<T>(asking: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DbErr> {
    match timeout(ANSWERS_WITHIN, asking).await {
        Ok(answer) => answer.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into()))),
        Err(_) => Err(DbErr::Custom("the leader's connection does not answer".to_owned())),
    }
}
