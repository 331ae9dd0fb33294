//! Devices of Android phones that no Firebase project of the operator reaches.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use moka::sync::Cache;

use crate::domain::device::Row;

/// So long nothing is sent to such a device.
const QUARANTINE: Duration = Duration::from_secs(60 * 60);

/// More are tried again sooner; each needs about a hundred bytes.
const MAX_ROWS: u64 = 100_000;

/// So many refusals of an app within a minute are told, once.
const MANY: u32 = 10;

const MINUTE: Duration = Duration::from_secs(60);

/// The rows that are left alone for a while, in this process.
pub(super) struct Quarantine {
    /// Until when, on the clock that runs.
    rows: Cache<Row, Duration>,
    /// By app: when counting began, and how many there were since.
    counted: Box<[Mutex<(Duration, u32)>]>,
}

impl Quarantine {
    pub(super) fn new(apps: usize) -> Self {
        Self {
            rows: Cache::builder().max_capacity(MAX_ROWS).time_to_live(QUARANTINE).build(),
            counted: (0..apps).map(|_| Mutex::default()).collect(),
        }
    }

    pub(super) fn holds(&self, row: Row, running: Duration) -> bool {
        self.rows.get(&row).is_some_and(|until| running < until)
    }

    /// Leaves a row alone from now on; how many there were of this app within a minute, where that is many and
    /// was not told yet.
    pub(super) fn add(&self, row: Row, app: usize, running: Duration) -> Option<u32> {
        self.rows.insert(row, running + QUARANTINE);
        let mut counted = self.counted[app].lock().unwrap_or_else(PoisonError::into_inner);
        if running >= counted.0 + MINUTE {
            *counted = (running, 0);
        }
        counted.1 += 1;
        (counted.1 == MANY).then_some(counted.1)
    }

    pub(super) fn clear(&self) {
        self.rows.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_left_alone_for_an_hour_and_many_are_told_once_a_minute() {
        let quarantine = Quarantine::new(1);
        let at = Duration::from_secs;
        let told: Vec<_> =
            (0..25).filter_map(|id| quarantine.add(Row::Device(id), 0, at(7))).collect();
        assert_eq!(told, [MANY]);
        assert!(quarantine.holds(Row::Device(3), at(3606)));
        assert!(!quarantine.holds(Row::Device(3), at(3607)));
        assert!(!quarantine.holds(Row::E2ee(3), at(8)));
        let again: Vec<_> =
            (0..25).filter_map(|id| quarantine.add(Row::Device(id), 0, at(67))).collect();
        assert_eq!(again, [MANY]);
    }
}
