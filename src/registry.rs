//! Everything the bouncer remembers: servers, realms, devices, counts.
//!
//! SQLite and PostgreSQL behind one code path. What requests read again and again is cached for
//! [`CACHE_LIFE`], so that a change made by another process counts within a second; what this process
//! changes counts at once. What may come late (counts, times of last requests) is collected in memory
//! and written in batches; what a client was told is stored is stored before it is told.

mod audit_log;
mod devices;
mod open;
mod pending;
mod remote_realms;
mod remote_servers;

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr};
use uuid::Uuid;

use crate::{
    clock::Clock,
    domain::{remote_realm::RemoteRealm, remote_server::RemoteServer},
    metrics::Metrics,
};

pub use audit_log::AuditEvent;
pub use open::{OpenError, migration_status};
pub use pending::PushCount;
pub use remote_realms::SynchronisationError;
pub use remote_servers::{NewRemoteServer, ServerUpdate, VersionReport};

/// How long a look-up may be answered from memory.
const CACHE_LIFE: Duration = Duration::from_secs(1);

/// Servers, and realms, in memory at once; about 400 bytes each.
const CACHE_ENTRIES: u64 = 50_000;

/// The database could not do what was asked of it; the caller may try again later.
#[derive(Debug, thiserror::Error)]
#[error("the database failed: {0}")]
pub struct RegistryError(#[from] DbErr);

impl RegistryError {
    /// Whether a unique index refused a row: somebody else stored the same at the same time.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.0.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
    }
}

/// Everything we remember; clones share it.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    database: DatabaseConnection,
    clock: Clock,
    metrics: Arc<Metrics>,
    servers: Cache<Uuid, Arc<RemoteServer>>,
    /// Realms that nobody registered are remembered too: old servers never register theirs.
    realms: Cache<Uuid, Option<Arc<RemoteRealm>>>,
    pending: pending::Pending,
}

impl Registry {
    fn new(database: DatabaseConnection, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            inner: Arc::new(Inner {
                database,
                clock,
                metrics,
                servers: Cache::builder()
                    .max_capacity(CACHE_ENTRIES)
                    .time_to_live(CACHE_LIFE)
                    .build(),
                realms: Cache::builder()
                    .max_capacity(CACHE_ENTRIES)
                    .time_to_live(CACHE_LIFE)
                    .build(),
                pending: pending::Pending::default(),
            }),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn ping(&self) -> Result<(), RegistryError> {
        self.inner.database.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Writes what is still in memory and closes the database.
    ///
    /// # Errors
    ///
    /// When something could not be written; it is lost then.
    pub async fn close(&self) -> Result<(), RegistryError> {
        let flushed = self.flush().await;
        self.inner.database.close_by_ref().await?;
        flushed
    }

    /// Counts and passes on a failure of the database.
    fn noted<T>(&self, result: Result<T, DbErr>) -> Result<T, RegistryError> {
        result.map_err(|error| {
            self.inner.metrics.database_errors.inc();
            RegistryError(error)
        })
    }
}
