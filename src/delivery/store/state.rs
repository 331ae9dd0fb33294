//! What the store knows, and how it keeps that in order.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{DropReason, Dropped, Due, Limits, lane::Lane, room::Room, turns::Turns};
use crate::{delivery::parcel::Parcel, domain::device::Row};

#[derive(Default)]
pub(super) struct State {
    pub(super) lanes: HashMap<Row, Lane>,
    /// When the lanes are to be tried next.
    pub(super) due: BTreeSet<(Duration, Row)>,
    /// The lanes whose time has come.
    pub(super) turns: Turns,
    pub(super) room: Room,
    /// Nothing is taken any more.
    pub(super) is_closed: bool,
}

impl State {
    /// Gives a parcel its place in its lane: at its head, or by its age.
    pub(super) fn put(&mut self, parcel: Box<Parcel>, due: Due, is_new: bool) {
        let row = parcel.push.row;
        let lane = self.lanes.entry(row).or_insert_with(|| Lane::new(due));
        // Whichever push of the device it was said to: nobody shortens what the push service asks for.
        lane.not_before = lane.not_before.max(due.not_before);
        // Something new is a reason to try now.
        let at = if is_new { due.at.min(lane.due) } else { due.at };
        lane.insert(parcel);
        self.reschedule(row, at);
    }

    /// Moves a lane to another moment; one that is being tried keeps it for later.
    pub(super) fn reschedule(&mut self, row: Row, at: Duration) {
        let Some(lane) = self.lanes.get_mut(&row) else { return };
        let at = at.max(lane.not_before);
        self.due.remove(&(lane.due, row));
        lane.due = at;
        if !lane.is_trying && !lane.waiting.is_empty() {
            self.due.insert((at, row));
        }
    }

    /// Removes a lane that has come to its end, or has it tried when it is due.
    pub(super) fn tidy(&mut self, row: Row) {
        let Some(lane) = self.lanes.get(&row) else { return };
        let due = lane.due;
        match (lane.is_trying, lane.waiting.is_empty()) {
            (false, true) => {
                self.due.remove(&(due, row));
                self.lanes.remove(&row);
            }
            (false, false) => self.reschedule(row, due),
            (true, _) => {}
        }
    }

    pub(super) fn make_room(&mut self, server: i64, limits: &Limits, dropped: &mut Vec<Dropped>) {
        while let Some((row, number, reason)) = self.room.too_much(limits, server) {
            let Some(lane) = self.lanes.get_mut(&row) else { return };
            let Some(parcel) = lane.remove(number) else { return };
            self.room.give_back(&parcel, true);
            dropped.push(Dropped { parcel, why: DropReason::GivenUp(reason) });
            self.tidy(row);
        }
    }
}
