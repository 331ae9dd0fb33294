//! Uploads to a SQLite database come one after the other.

use std::{sync::Arc, time::Duration};

use sea_orm::DbBackend;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

/// Between two uploads the other writers have at most so long: a writer that waits in SQLite looks every
/// 100 ms whether the database is free.
const LONGEST_GAP: Duration = Duration::from_millis(250);

/// Whose turn it is to write an upload.
///
/// SQLite has one writer, and nobody there is next: who waits looks now and then, and gives up after
/// `database.statement_timeout`. So large uploads would starve each other, and whoever else writes. Who deletes old
/// rows takes a turn for each batch.
pub(in crate::registry) struct Turns(Option<Arc<Semaphore>>);

/// The turn of one upload, until it is dropped.
pub(in crate::registry) struct Turn {
    began: Instant,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// One at a time with SQLite; all at once with PostgreSQL, which locks rows.
    pub(in crate::registry) fn of(backend: DbBackend) -> Self {
        Self(matches!(backend, DbBackend::Sqlite).then(|| Arc::new(Semaphore::new(1))))
    }

    /// Waits, as long as the caller lets it, behind those that came before.
    pub(in crate::registry) async fn take(&self) -> Turn {
        let permit = match &self.0 {
            Some(turns) => Arc::clone(turns).acquire_owned().await.ok(),
            None => None,
        };
        Turn { began: Instant::now(), permit }
    }
}

impl Drop for Turn {
    /// Leaves the database to others for as long as it was held, before the next upload.
    fn drop(&mut self) {
        let gap = self.began.elapsed().min(LONGEST_GAP);
        if let (Some(permit), Ok(runtime)) = (self.permit.take(), Handle::try_current()) {
            runtime.spawn(async move {
                sleep(gap).await;
                drop(permit);
            });
        }
    }
}
