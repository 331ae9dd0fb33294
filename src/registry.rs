//! Everything the bouncer remembers: servers, realms, devices, counts.
//!
//! SQLite and PostgreSQL behind one code path. What requests read again and again is cached, so that a
//! change made by another process counts within a second, and what this process changes at once; while
//! the database is gone, it is answered from memory. What may come late (counts, times of last requests)
//! is collected in memory and written in batches; what a client was told is stored is stored before it is
//! told.

mod announcements;
mod audit_log;
mod brakes;
mod cache;
mod contact;
mod desk;
mod devices;
mod e2ee_devices;
mod fates;
mod gathering;
mod import;
mod leadership;
mod listening;
mod one_service;
mod open;
mod pending;
mod plans;
mod readiness;
mod registration_keys;
mod remote_realms;
mod remote_servers;
mod retention;
mod schema;
mod standing;
mod tombstone_periods;
mod tombstones;
mod transfer;
mod uploads;

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr, sqlx};
use tokio::time::timeout;
use uuid::Uuid;

use cache::{Kept, Life};
use contact::{Contact, no_answer};
use gathering::Gathering;

use crate::{
    clock::Clock,
    config::DatabaseConfig,
    domain::{device::Device, remote_realm::RemoteRealm, remote_server::RemoteServer},
    metrics::Metrics,
};

pub use audit_log::AuditEvent;
pub use brakes::{AppDevices, Doubts, EngagedBrake, Verdict};
pub use desk::{Desk, Turn};
pub use fates::Burial;
pub use import::{
    Fate, GrowingTable, Imported, ImportedCount, ImportedDevice, ImportedE2eeDevice, ImportedEvent,
    ImportedPushCount, ImportedRealm, ImportedServer, Incoming, SeenRow, SourceTable, Storing,
};
pub use leadership::Leadership;
pub use open::OpenError;
pub(crate) use open::plain_on_this_machine;
pub use pending::PushCount;
pub use readiness::Readiness;
pub use registration_keys::{PUBLIC_KEY_BYTES, StoredKey, USES_PERIOD};
pub use remote_servers::{NewRemoteServer, ServerUpdate, VersionReport};
pub use retention::{OldRows, RowGroup};
pub use schema::{Effect, Schema, SchemaStatus, Step};
pub use standing::{Deactivation, Decision};
pub use tombstone_periods::{HOLES_LAST, HolesCause, TombstonePeriod};
pub use tombstones::Tombstone;
pub use uploads::{LastRows, Upload, UploadError};

/// How long an answer may be given from memory after another process changed what is true.
const CACHE_LIFE: Duration = Duration::from_secs(1);

/// The same for devices on SQLite, whose file only `brake release` changes while the bouncer serves, and that is
/// noticed.
const SQLITE_DEVICES_LIFE: Duration = Duration::from_secs(10 * 60);

/// A question that was put has so long for its answer to come back, beyond the time it may take.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// What takes several statements has so long.
const CARRIED_OUT_WITHIN: Duration = Duration::from_secs(60);

/// The connections have so long to end in order.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// PostgreSQL has found two transactions waiting for each other:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const DEADLOCK: &str = "40P01";

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
#[derive(Clone, Debug, thiserror::Error)]
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
    /// Of a service on a SQLite file.
    one_service: Option<one_service::OneService>,
    contact: Arc<Contact>,
    /// How long a connection may take to be there.
    connects_within: Duration,
    /// How long an answer may take, the wait for a connection included.
    answers_within: Duration,
    clock: Clock,
    metrics: Arc<Metrics>,
    servers: Kept<Uuid, Arc<RemoteServer>>,
    /// Realms that nobody registered are remembered too: old servers never register theirs.
    realms: Kept<Uuid, Option<Arc<RemoteRealm>>>,
    devices: Kept<devices::Owner, Arc<[Device]>>,
    registration_keys: Kept<(), Arc<[StoredKey]>>,
    servers_asked_for: Gathering<Uuid, Option<RemoteServer>>,
    realms_asked_for: Gathering<Uuid, Option<RemoteRealm>>,
    /// One for each unique index that a new row may meet its like in.
    registering_by_id: Gathering<devices::Registering, ()>,
    registering_by_uuid: Gathering<devices::Registering, ()>,
    pending: pending::Pending,
    upload_turns: uploads::Turns,
}

impl Registry {
    fn new(
        database: DatabaseConnection,
        one_service: Option<one_service::OneService>,
        contact: Arc<Contact>,
        config: &DatabaseConfig,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let backend = database.get_database_backend();
        let without_database = config.serve_from_memory_for;
        let life = Life { fresh: CACHE_LIFE, is_announced: true, without_database };
        let devices_life = match backend {
            DbBackend::Sqlite => SQLITE_DEVICES_LIFE,
            _ => CACHE_LIFE,
        };
        let devices_life = Life { fresh: devices_life, is_announced: false, without_database };
        let kept_by = || Arc::clone(&contact);
        Self {
            inner: Arc::new(Inner {
                servers: Kept::new(SERVERS_BYTES, life, kept_by(), |_, _| ENTRY_BYTES + 200),
                realms: Kept::new(REALMS_BYTES, life, kept_by(), |_, _| ENTRY_BYTES),
                devices: Kept::new(DEVICES_BYTES, devices_life, kept_by(), |_, devices| {
                    ENTRY_BYTES + devices::weight(devices)
                }),
                registration_keys: Kept::new(KEY_LISTS, life, kept_by(), |(), _| 1),
                servers_asked_for: Gathering::default(),
                realms_asked_for: Gathering::default(),
                registering_by_id: Gathering::default(),
                registering_by_uuid: Gathering::default(),
                pending: pending::Pending::default(),
                upload_turns: uploads::Turns::of(backend),
                connects_within: config.acquire_timeout,
                answers_within: config.acquire_timeout + config.statement_timeout + ON_ITS_WAY,
                database,
                one_service,
                contact,
                clock,
                metrics,
            }),
        }
    }

    /// Writes what is still in memory and closes the database.
    ///
    /// # Errors
    ///
    /// When something could not be written; it is lost then.
    pub async fn close(&self) -> Result<(), RegistryError> {
        let flushed = self.flush().await;
        // What does not answer is left behind.
        if let Ok(closed) = timeout(CLOSES_WITHIN, self.inner.database.close_by_ref()).await {
            closed?;
        }
        if let Some(one_service) = &self.inner.one_service
            && let Err(error) = one_service.end()
        {
            // The end of the process ends it too.
            tracing::warn!(event = "database.still_locked", %error, "the lock beside the database is kept");
        }
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
            match self.within(self.inner.answers_within, question()).await {
                Err(error) if attempts < MAX_ATTEMPTS && has_done_nothing(&error) => {
                    attempts += 1;
                }
                answer => return self.noted(answer),
            }
        }
    }

    /// How long something that is done together with others may take: what is under way, and what comes next.
    fn patience(&self) -> Duration {
        2 * self.inner.answers_within
    }

    /// Does what takes several statements, none of which may be put twice.
    async fn carry_out<T, E: From<DbErr>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.within(CARRIED_OUT_WITHIN, work).await
    }

    /// Waits no longer than this for what the database does, and not while it is known to be gone.
    async fn within<T, E: From<DbErr>>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let contact = &self.inner.contact;
        let mut work = pin!(work);
        let done = contact.unless_gone(async {
            match timeout(limit, work.as_mut()).await {
                Ok(done) => done,
                Err(_) => {
                    // Before its connection goes back to where others would take it.
                    contact.doubt();
                    Err(no_answer().into())
                }
            }
        });
        done.await.inspect(|_| contact.answered())
    }

    /// Counts and passes on a failure of the database.
    fn noted<T>(&self, result: Result<T, DbErr>) -> Result<T, RegistryError> {
        result.map_err(|error| {
            self.inner.metrics.database_errors.inc();
            RegistryError(error)
        })
    }
}

/// Whether the same may succeed at once: the database was not reached, so that another connection may reach it, or it
/// ended one of two statements that waited for each other.
fn has_done_nothing(error: &DbErr) -> bool {
    let (DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(error) = error else { return false };
    let refusal = error.as_database_error();
    is_lost(error) || refusal.is_some_and(|refusal| refusal.code().as_deref() == Some(DEADLOCK))
}

/// Whether an error of the driver means that the database was not reached.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // "Connection exception", and "terminated by the administrator", "by a crash", "cannot connect now":
        // <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03")
        }),
        _ => false,
    }
}
