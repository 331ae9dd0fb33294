//! Everything the bouncer remembers: servers, realms, devices, counts.
//!
//! SQLite and PostgreSQL behind one code path. What requests read again and again is cached for
//! a short while, so that a change made by another process counts within a second; what this process
//! changes counts at once. What may come late (counts, times of last requests) is collected in memory
//! and written in batches; what a client was told is stored is stored before it is told.

mod audit_log;
mod brakes;
mod cache;
mod desk;
mod devices;
mod e2ee_devices;
mod fates;
mod leadership;
mod open;
mod pending;
mod plans;
mod registration_keys;
mod remote_realms;
mod remote_servers;
mod retention;
mod schema;
mod standing;
mod tombstones;
mod transfer;
mod uploads;

use std::{future::Future, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, RuntimeErr, sqlx};
use uuid::Uuid;

use cache::Kept;

use crate::{
    clock::Clock,
    domain::{device::Device, remote_realm::RemoteRealm, remote_server::RemoteServer},
    metrics::Metrics,
};

pub use audit_log::AuditEvent;
pub use brakes::{AppDevices, Doubts, EngagedBrake, Verdict};
pub use desk::{Desk, Turn};
pub use fates::Burial;
pub use leadership::Leadership;
pub use open::OpenError;
pub use pending::PushCount;
pub use registration_keys::{PUBLIC_KEY_BYTES, StoredKey, USES_PERIOD};
pub use remote_servers::{NewRemoteServer, ServerUpdate, VersionReport};
pub use retention::{OldRows, RowGroup};
pub use schema::{Effect, Schema, SchemaStatus, Step};
pub use standing::{Deactivation, Decision};
pub use tombstones::Tombstone;
pub use uploads::{LastRows, Upload, UploadError};

/// How long an answer may be given from memory after another process changed what is true.
const CACHE_LIFE: Duration = Duration::from_secs(1);

/// The same for devices on SQLite, whose file only `brake release` changes while the bouncer serves, and that is
/// noticed.
const SQLITE_DEVICES_LIFE: Duration = Duration::from_secs(10 * 60);

/// A question is put so often when connections turn out to be closed; each attempt finds out one of them.
const MAX_ATTEMPTS: usize = 4;

/// Rows of one statement: the widest row binds 13 values, SQLite takes 32,766 in all.
const ROWS_PER_STATEMENT: usize = 1000;

/// Memory for servers, for realms, and for devices, in bytes.
const SERVERS_BYTES: u64 = 8 * 1024 * 1024;
const REALMS_BYTES: u64 = 8 * 1024 * 1024;
const DEVICES_BYTES: u64 = 64 * 1024 * 1024;

/// There is one list of registration keys.
const KEY_LISTS: u64 = 1;

/// What an entry needs besides its value: key, links, counters.
const ENTRY_BYTES: u32 = 200;

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
    servers: Kept<Uuid, Arc<RemoteServer>>,
    /// Realms that nobody registered are remembered too: old servers never register theirs.
    realms: Kept<Uuid, Option<Arc<RemoteRealm>>>,
    devices: Kept<devices::Owner, Arc<[Device]>>,
    registration_keys: Kept<(), Arc<[StoredKey]>>,
    pending: pending::Pending,
    upload_turns: uploads::Turns,
}

impl Registry {
    fn new(database: DatabaseConnection, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let upload_turns = uploads::Turns::of(database.get_database_backend());
        let devices_life = match database.get_database_backend() {
            DbBackend::Sqlite => SQLITE_DEVICES_LIFE,
            _ => CACHE_LIFE,
        };
        Self {
            inner: Arc::new(Inner {
                database,
                clock,
                metrics,
                servers: Kept::new(SERVERS_BYTES, CACHE_LIFE, |_, _| ENTRY_BYTES + 200),
                realms: Kept::new(REALMS_BYTES, CACHE_LIFE, |_, _| ENTRY_BYTES),
                devices: Kept::new(DEVICES_BYTES, devices_life, |_, devices| {
                    ENTRY_BYTES + devices::weight(devices)
                }),
                registration_keys: Kept::new(KEY_LISTS, CACHE_LIFE, |(), _| 1),
                pending: pending::Pending::default(),
                upload_turns,
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

    /// Asks the database something that may be asked twice: a connection that the database has closed
    /// meanwhile (a restart closes all of them) is found out only by using it.
    async fn ask<T, Q, F>(&self, question: Q) -> Result<T, RegistryError>
    where
        Q: Fn() -> F,
        F: Future<Output = Result<T, DbErr>>,
    {
        let mut attempts = 1;
        loop {
            match question().await {
                Err(error) if attempts < MAX_ATTEMPTS && is_lost_connection(&error) => {
                    attempts += 1;
                }
                answer => return self.noted(answer),
            }
        }
    }

    /// Counts and passes on a failure of the database.
    fn noted<T>(&self, result: Result<T, DbErr>) -> Result<T, RegistryError> {
        result.map_err(|error| {
            self.inner.metrics.database_errors.inc();
            RegistryError(error)
        })
    }
}

/// Whether the database was not reached, so that another connection may reach it.
fn is_lost_connection(error: &DbErr) -> bool {
    let (DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(error) = error else { return false };
    match &**error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // "Connection exception", and "terminated by the administrator", "by a crash", "cannot connect now":
        // <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03")
        }),
        _ => false,
    }
}
