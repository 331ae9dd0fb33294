//! Whether there is anything that requests can be answered from.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use tokio::time::timeout;

use super::{Registry, RegistryError};

/// A database that answered so short a time ago may be about to answer again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Who asks whether we are ready does not wait long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What requests are answered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The database, which answered now or a moment ago.
    Database,
    /// Memory, for a while.
    Memory,
    /// Nothing.
    Nothing,
}

impl Registry {
    /// What requests are answered from; asks the database, unless it is known to be gone.
    pub async fn readiness(&self) -> Readiness {
        if let Ok(Ok(())) = timeout(PATIENCE, self.ping()).await {
            return Readiness::Database;
        }
        if self.inner.contact.has_answered_within(ANSWERED_WITHIN) {
            Readiness::Database
        } else if self.inner.servers.has_any_known() {
            Readiness::Memory
        } else {
            Readiness::Nothing
        }
    }

    /// Asks the database the least there is to ask.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn ping(&self) -> Result<(), RegistryError> {
        self.ask(|| self.inner.database.execute_unprepared("SELECT 1")).await.map(drop)
    }
}
