//! The desk where registrations are changed, one after the other.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};

/// Whoever waits for the desk longer than this shall come again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Host names are not unique in the database, and a key may be replaced in two ways: whoever looks at either
/// to change it has the turn until the change is stored. Clones are one desk; each node has its own.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    turn: Arc<Mutex<()>>,
}

/// It is one's turn until this is dropped.
#[derive(Debug)]
pub struct Turn {
    _held: OwnedMutexGuard<()>,
}

impl Desk {
    /// Waits for one's turn; `None` after three seconds.
    pub async fn turn(&self) -> Option<Turn> {
        let held = timeout(PATIENCE, Arc::clone(&self.turn).lock_owned()).await.ok()?;
        Some(Turn { _held: held })
    }
}
