//! First attempts of messages, for which their removals wait in their lane.
//!
//! Whether a removal has anything to take down is known when the first attempt of its message has ended: then the
//! message has arrived, or waits in the lane before its removal, or was dropped because of it.

use std::{collections::HashMap, time::Duration};

use super::Store;
use crate::{delivery::parcel::Parcel, domain::device::Row};

/// So long a removal waits at most. One attempt takes less, and while the removal waits no other begins: what comes
/// for the device meanwhile waits behind it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How many messages are under way for the first time, by device.
#[derive(Default)]
pub(super) struct FirstAttempts {
    by_row: HashMap<Row, usize>,
}

/// One first attempt; it ends when this is dropped.
pub(in crate::delivery) struct FirstAttempt<'a> {
    store: &'a Store,
    /// Whose messages are counted; nothing for what no removal waits for.
    row: Option<Row>,
}

impl<'a> FirstAttempt<'a> {
    pub(super) fn new(store: &'a Store, row: Option<Row>) -> Self {
        Self { store, row }
    }
}

impl Drop for FirstAttempt<'_> {
    fn drop(&mut self) {
        if let Some(row) = self.row {
            self.store.first_attempt_ended(row);
        }
    }
}

impl FirstAttempts {
    pub(super) fn begin(&mut self, row: Row) {
        *self.by_row.entry(row).or_default() += 1;
    }

    /// One has ended; whether it was the last of the device.
    pub(super) fn end(&mut self, row: Row) -> bool {
        let Some(count) = self.by_row.get_mut(&row) else { return false };
        *count -= 1;
        let is_last = *count == 0;
        if is_last {
            self.by_row.remove(&row);
        }
        is_last
    }

    pub(super) fn are_under_way(&self, row: Row) -> bool {
        self.by_row.contains_key(&row)
    }

    /// How long the head of a lane waits for their end; nothing where it does not.
    pub(super) fn wait_of(&self, head: &Parcel) -> Option<Duration> {
        let waits = head.is_removal() && self.are_under_way(head.push.row);
        let left = LONGEST_WAIT.saturating_sub(head.began.elapsed());
        (waits && !left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{DropReason, Due, Limits},
        *,
    };
    use crate::delivery::parcel::tests::parcel;

    const NOW: Due = Due { at: Duration::ZERO, not_before: Duration::ZERO };
    const SECOND: Duration = Duration::from_secs(1);

    fn store() -> Store {
        Store::new(Limits { bytes: 1 << 20, parcels: 100 })
    }

    fn message(id: i64) -> Box<Parcel> {
        parcel(&format!(r#"{{"event": "message", "zulip_message_id": {id}}}"#))
    }

    fn removal(ids: &str) -> Box<Parcel> {
        parcel(&format!(r#"{{"event": "remove", "zulip_message_ids": "{ids}"}}"#))
    }

    /// Takes a parcel in that makes nothing needless.
    #[track_caller]
    fn insert(store: &Store, parcel: Box<Parcel>) {
        assert_eq!(store.insert(parcel, NOW).len(), 0);
    }

    /// The number of the parcel whose turn it is.
    fn due(store: &Store, now: Duration) -> Option<u64> {
        Some(store.take_due(now, |_| true)?.number)
    }

    fn superseded(store: &Store, parcel: Box<Parcel>) -> Vec<u64> {
        let number = |dropped: super::super::Dropped| {
            assert_eq!(dropped.why, DropReason::Superseded);
            dropped.parcel.number
        };
        store.insert(parcel, NOW).into_iter().map(number).collect()
    }

    #[test]
    fn a_removal_waits_in_its_lane_for_the_last_of_its_device() {
        let store = store();
        let (first, second, read) = (message(1), message(2), removal("1"));
        let one = store.first_attempt(&first).unwrap();
        let other = store.first_attempt(&second).unwrap();
        assert!(store.first_attempt(&read).is_none());
        let number = read.number;
        insert(&store, read);
        assert!(store.first_attempt(&message(3)).is_none(), "it would overtake the removal");
        drop(one);
        assert_eq!(due(&store, SECOND), None);
        drop(other);
        assert_eq!(due(&store, SECOND), Some(number));
        assert!(!store.state().first_attempts.are_under_way(first.push.row));
    }

    #[test]
    fn a_removal_waits_for_half_a_minute_at_most() {
        let stuck = message(1);
        for (since, goes) in [(LONGEST_WAIT - 10 * SECOND, false), (LONGEST_WAIT, true)] {
            let store = store();
            let _stuck = store.first_attempt(&stuck).unwrap();
            let mut read = removal("1");
            read.began -= since;
            let number = read.number;
            insert(&store, read);
            assert_eq!(due(&store, SECOND), goes.then_some(number), "it came {since:?} ago");
            if !goes {
                let looked_at = store.next_due(|_| true).unwrap();
                assert!(looked_at > SECOND && looked_at <= 11 * SECOND, "{looked_at:?}");
            }
        }
    }

    #[test]
    fn a_removal_behind_a_message_that_waits_does_not_overtake_its_own() {
        let store = store();
        let (failed, slow) = (message(1), message(2));
        let _slow = store.first_attempt(&slow).unwrap();
        insert(&store, failed);
        insert(&store, removal("2"));
        let failed = store.take_due(SECOND, |_| true).unwrap();
        store.decided(&failed, SECOND);
        assert_eq!(due(&store, SECOND), None, "message 2 has not arrived yet");
    }

    #[test]
    fn a_message_that_was_read_during_an_attempt_is_not_tried_again_and_its_removal_goes() {
        let store = store();
        // In its first attempt.
        let message_1 = message(1);
        let first = store.first_attempt(&message_1).unwrap();
        let read = removal("1");
        let number = read.number;
        insert(&store, read);
        assert_eq!(due(&store, SECOND), None);
        let message_number = message_1.number;
        assert_eq!(superseded(&store, message_1), [message_number]);
        drop(first);
        let read = store.take_due(SECOND, |_| true).unwrap();
        assert_eq!(read.number, number);
        store.decided(&read, SECOND);
        assert_eq!(store.next_due(|_| true), None);
        // In a further one.
        insert(&store, message(2));
        let message_2 = store.take_due(SECOND, |_| true).unwrap();
        insert(&store, removal("2"));
        let dropped = store.again(message_2, NOW);
        assert!(matches!(&dropped[..], [dropped] if dropped.why == DropReason::Superseded));
        assert!(store.take_due(SECOND, |_| true).unwrap().is_removal());
        assert_eq!(store.measure().by_provider, [0, 1]);
    }

    #[test]
    fn a_removal_goes_where_its_message_is_under_way_once_more() {
        let store = store();
        let (waiting, under_way) = (message(1), message(1));
        let first = store.first_attempt(&under_way).unwrap();
        let number = waiting.number;
        insert(&store, waiting);
        assert_eq!(superseded(&store, removal("1")), [number], "the removal is not");
        assert_eq!(due(&store, SECOND), None);
        drop(first);
        assert!(store.take_due(SECOND, |_| true).unwrap().is_removal());
    }

    #[test]
    fn a_message_of_the_same_id_that_came_after_the_removal_stays() {
        let store = store();
        let (older, younger) = (removal("1"), message(1));
        let number = younger.number;
        insert(&store, younger);
        insert(&store, older);
        let older = store.take_due(SECOND, |_| true).unwrap();
        assert!(older.is_removal());
        store.decided(&older, SECOND);
        assert_eq!(due(&store, SECOND), Some(number));
    }

    #[test]
    fn the_end_of_first_attempts_shortens_no_pause() {
        let store = store();
        let failed = message(1);
        let first = store.first_attempt(&failed).unwrap();
        insert(&store, removal("2"));
        assert_eq!(due(&store, SECOND), None);
        let later = Due { at: 9 * SECOND, not_before: Duration::ZERO };
        assert_eq!(store.insert(failed, later).len(), 0);
        drop(first);
        assert_eq!(due(&store, 8 * SECOND), None);
        assert!(store.take_due(9 * SECOND, |_| true).unwrap().is_message());
    }

    #[test]
    fn what_waits_behind_a_removal_that_gives_way_is_tried() {
        let store = Store::new(Limits { bytes: 1 << 20, parcels: 4 });
        let slow = message(1);
        let _slow = store.first_attempt(&slow).unwrap();
        insert(&store, removal("1"));
        assert_eq!(due(&store, SECOND), None);
        // A server has a quarter: one of four.
        let next = message(2);
        let number = next.number;
        let dropped = store.insert(next, NOW);
        assert!(matches!(&dropped[..], [dropped] if dropped.parcel.is_removal()));
        assert_eq!(due(&store, SECOND), Some(number));
    }
}
