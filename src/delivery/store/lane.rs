//! What waits for one device, in the order it came.

use std::{collections::VecDeque, time::Duration};

use super::Due;
use crate::delivery::parcel::Parcel;

/// What waits for one device.
pub(super) struct Lane {
    pub(super) waiting: VecDeque<Box<Parcel>>,
    /// Its head was taken out and is being tried.
    pub(super) is_trying: bool,
    /// Its time has come, and its turn has not.
    pub(super) is_in_line: bool,
    /// Its head is a removal and waits for the end of first attempts.
    pub(super) is_held: bool,
    /// When its head is tried next.
    pub(super) due: Duration,
    /// The push service asked that nothing be sent to the device before.
    pub(super) not_before: Duration,
}

impl Lane {
    pub(super) fn new(due: Due) -> Self {
        let Due { at, not_before } = due;
        Self {
            waiting: VecDeque::new(),
            is_trying: false,
            is_in_line: false,
            is_held: false,
            due: at,
            not_before,
        }
    }

    /// Gives a parcel its place by age.
    pub(super) fn insert(&mut self, parcel: Box<Parcel>) {
        let younger = self.waiting.iter().rposition(|other| other.number < parcel.number);
        self.waiting.insert(younger.map_or(0, |older| older + 1), parcel);
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, number: u64) -> Option<Box<Parcel>> {
        let index = self.waiting.iter().position(|parcel| parcel.number == number)?;
        self.waiting.remove(index)
    }
}
