//! First attempts of messages, for which their removals wait.
//!
//! Whether a removal has anything to take down is known when the first attempt of its message has ended: then the
//! message has arrived, or waits in a lane, where its removal meets it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::domain::device::Row;

/// A device to which one message follows the other has a first attempt under way at any time: its removals wait so long
/// at most. One attempt takes less.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The devices to which messages are under way for the first time.
#[derive(Default)]
pub(super) struct FirstAttempts {
    by_row: Mutex<HashMap<Row, OfRow>>,
}

#[derive(Default)]
struct OfRow {
    count: usize,
    /// Whoever waits for their end.
    end: Option<Arc<Notify>>,
}

/// One first attempt; it ends when this is dropped.
pub(super) struct FirstAttempt<'a> {
    all: &'a FirstAttempts,
    row: Row,
}

impl FirstAttempts {
    /// A first attempt begins.
    pub(super) fn begin(&self, row: Row) -> FirstAttempt<'_> {
        self.by_row().entry(row).or_default().count += 1;
        FirstAttempt { all: self, row }
    }

    /// Waits until no message is under way to a device for the first time, half a minute at most.
    pub(super) async fn end(&self, row: Row) {
        let end = async {
            while let Some(ended) = self.ended(row) {
                ended.await;
            }
        };
        // Whether it has ended or not, the removal goes on.
        let _ = timeout(LONGEST_WAIT, end).await;
    }

    /// Made under the lock: whoever ends the attempts afterwards wakes it. Nothing where none is under way.
    fn ended(&self, row: Row) -> Option<impl Future<Output = ()> + use<>> {
        let mut by_row = self.by_row();
        let of_row = by_row.get_mut(&row)?;
        Some(Arc::clone(of_row.end.get_or_insert_default()).notified_owned())
    }

    fn by_row(&self) -> MutexGuard<'_, HashMap<Row, OfRow>> {
        self.by_row.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FirstAttempt<'_> {
    fn drop(&mut self) {
        let mut by_row = self.all.by_row();
        let Some(of_row) = by_row.get_mut(&self.row) else { return };
        of_row.count -= 1;
        if of_row.count == 0 {
            let end = of_row.end.take();
            by_row.remove(&self.row);
            if let Some(end) = end {
                end.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_by_the_last_of_a_device() {
        let attempts = FirstAttempts::default();
        let (one, other) = (Row::Device(1), Row::Device(2));
        attempts.end(one).await;
        let first = attempts.begin(one);
        let second = attempts.begin(one);
        let _other = attempts.begin(other);
        let mut end = pin!(attempts.end(one));
        let mut late = pin!(attempts.end(one));
        assert!(poll!(&mut end).is_pending());
        drop(first);
        assert!(poll!(&mut end).is_pending());
        assert!(poll!(&mut late).is_pending());
        drop(second);
        assert!(poll!(&mut end).is_ready());
        assert!(poll!(&mut late).is_ready());
        attempts.end(one).await;
        assert_eq!(attempts.by_row().len(), 1);
    }
}
