//! Rows of another bouncer, stored many at a time.
//!
//! Each row of the source that was looked at has a row in `import_rows`, written in the transaction of what became of
//! it: so a stopped import goes on where it was, nothing is taken twice, and what was removed here does not come back.

mod counts;
mod devices;
mod e2ee_devices;
mod events;
mod realms;
mod rows;
mod servers;

use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};

use super::{ROWS_PER_STATEMENT, Registry, RegistryError};

pub use counts::{ImportedCount, ImportedPushCount};
pub use devices::ImportedDevice;
pub use e2ee_devices::ImportedE2eeDevice;
pub use events::ImportedEvent;
pub use realms::ImportedRealm;
pub use rows::SeenRow;
pub use servers::ImportedServer;

/// A table of the other bouncer whose rows change and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceTable {
    /// Servers.
    Servers,
    /// Realms.
    Realms,
    /// Devices that receive notifications in the clear.
    Devices,
    /// Devices that receive encrypted notifications.
    E2eeDevices,
}

impl SourceTable {
    fn number(self) -> i16 {
        match self {
            Self::Servers => 1,
            Self::Realms => 2,
            Self::Devices => 3,
            Self::E2eeDevices => 4,
        }
    }
}

/// A table of the other bouncer that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowingTable {
    /// Counts of servers.
    InstallationCounts,
    /// Counts of realms.
    RealmCounts,
    /// Events on realms.
    RealmEvents,
}

impl GrowingTable {
    fn number(self) -> i16 {
        match self {
            Self::InstallationCounts => 5,
            Self::RealmCounts => 6,
            Self::RealmEvents => 7,
        }
    }
}

/// A row of the other bouncer, as it is to be stored here.
pub struct Incoming<T> {
    /// Its key there.
    pub source_id: i64,
    /// A number that changes when the row does.
    pub version: i64,
    /// Our key of what it became when it was looked at before.
    pub before: Option<i64>,
    /// What is to be stored; nothing when it is not taken.
    pub row: Option<T>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It was not here.
    New,
    /// It was here otherwise.
    Changed,
    /// It was here as it is.
    Same,
    /// What is here is newer.
    NewerHere,
    /// It was here, and was removed since.
    RemovedHere,
    /// Its realm belongs to another server here.
    OtherServer,
    /// Its number, by which chat servers name it, is that of another device here.
    NumberTaken,
    /// It is not to be taken.
    Left,
}

/// What became of which row.
#[derive(Clone, Copy, Debug)]
pub struct Imported {
    /// Its key at the source.
    pub source_id: i64,
    /// Our key of what it is here; nothing when it is not here, or only looked at.
    pub target_id: Option<i64>,
    /// What became of it.
    pub fate: Fate,
}

impl Imported {
    fn of(source_id: i64, fate: Fate, target_id: Option<i64>) -> Self {
        Self { source_id, target_id, fate }
    }
}

/// The rows of a batch that are otherwise now than they were.
fn stored<'a, T>(
    batch: &'a [Incoming<T>],
    imported: &'a [(Imported, i64)],
) -> impl Iterator<Item = &'a T> {
    batch.iter().zip(imported).filter_map(|(incoming, (imported, _))| {
        matches!(imported.fate, Fate::New | Fate::Changed).then_some(incoming.row.as_ref()?)
    })
}

/// Whether rows are stored, or only compared with those that are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// They are stored.
    Yes,
    /// Nothing is written.
    No,
}

impl Registry {
    /// Does something in one transaction, which on SQLite nobody else writes in.
    async fn import_batch<T>(
        &self,
        storing: Storing,
        work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>,
    ) -> Result<T, RegistryError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: (storing == Storing::Yes)
                .then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let done = async {
            let transaction = self.inner.database.begin_with_options(options).await?;
            if transaction.get_database_backend() == DbBackend::Postgres {
                // A table that was empty a moment ago has no statistics, and would be read whole for each batch.
                transaction.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
            }
            let done = work(&transaction).await?;
            match storing {
                Storing::Yes => transaction.commit().await?,
                Storing::No => transaction.rollback().await?,
            }
            Ok(done)
        };
        self.noted(done.await)
    }
}
