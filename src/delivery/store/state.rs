//! What the store knows, and how it keeps that in order.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::{
    DropReason, Dropped, Due, Limits, first_attempts::FirstAttempts, lane::Lane, room::Room,
    turns::Turns,
};
use crate::{
    delivery::{parcel::Parcel, removal},
    domain::device::Row,
    metrics::GivenUpReason,
    providers::AppKey,
};

#[derive(Default)]
pub(super) struct State {
    pub(super) lanes: HashMap<Row, Lane>,
    /// When the lanes are to be tried next.
    pub(super) due: BTreeSet<(Duration, Row)>,
    /// The lanes whose time has come, by the app of their head.
    pub(super) turns: BTreeMap<Option<AppKey>, Turns>,
    pub(super) room: Room,
    pub(super) first_attempts: FirstAttempts,
    /// Nothing is taken any more.
    pub(super) is_closed: bool,
}

impl State {
    /// Takes a parcel in that was not here before. What had to go for it.
    pub(super) fn insert(
        &mut self,
        parcel: Box<Parcel>,
        due: Due,
        limits: &Limits,
    ) -> Vec<Dropped> {
        if self.is_closed {
            return vec![Dropped { parcel, why: DropReason::GivenUp(GivenUpReason::Shutdown) }];
        }
        let mut dropped = Vec::new();
        let (row, server) = (parcel.push.row, parcel.job.server.id);
        let is_first_under_way = self.first_attempts.are_under_way(row);
        if let Some(lane) = self.lanes.get_mut(&row) {
            if removal::is_read(&lane.waiting, &parcel) {
                self.supersede(parcel, due, &mut dropped);
                return dropped;
            }
            // What is under way may be the same message once more, and arrive.
            let is_under_way = is_first_under_way || lane.is_trying;
            let (superseded, is_needless) = removal::meet(&mut lane.waiting, &parcel);
            for parcel in superseded {
                self.room.give_back(&parcel, true);
                dropped.push(Dropped { parcel, why: DropReason::Superseded });
            }
            if is_needless && !is_under_way {
                self.supersede(parcel, due, &mut dropped);
                return dropped;
            }
        }
        self.room.take(&parcel, true);
        self.put(parcel, due, true);
        self.make_room(server, limits, &mut dropped);
        dropped
    }

    /// Takes a parcel back that was tried. What had to go for it.
    pub(super) fn again(&mut self, parcel: Box<Parcel>, due: Due, limits: &Limits) -> Vec<Dropped> {
        if self.is_closed {
            return vec![Dropped { parcel, why: DropReason::GivenUp(GivenUpReason::Shutdown) }];
        }
        let mut dropped = Vec::new();
        let server = parcel.job.server.id;
        let is_read = self.lanes.get_mut(&parcel.push.row).is_some_and(|lane| {
            lane.is_trying = false;
            removal::is_read(&lane.waiting, &parcel)
        });
        if is_read {
            self.room.give_back(&parcel, false);
            self.supersede(parcel, due, &mut dropped);
        } else {
            self.room.waits_again(&parcel);
            self.put(parcel, due, false);
            self.make_room(server, limits, &mut dropped);
        }
        dropped
    }

    /// Gives a parcel its place in its lane: at its head, or by its age.
    fn put(&mut self, parcel: Box<Parcel>, due: Due, is_new: bool) {
        let row = parcel.push.row;
        let lane = self.lanes.entry(row).or_insert_with(|| Lane::new(due));
        // Whichever push of the device it was said to: nobody shortens what the push service asks for.
        lane.not_before = lane.not_before.max(due.not_before);
        // Something new is a reason to try now.
        let at = if is_new { due.at.min(lane.due) } else { due.at };
        // What is its head now need not wait for first attempts, or is found out to when it is taken.
        lane.is_held = false;
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
        let Some(lane) = self.lanes.get_mut(&row) else { return };
        // Whether its head waits for first attempts is found out anew when it is taken.
        let due = if lane.is_held { Duration::ZERO } else { lane.due };
        lane.is_held = false;
        match (lane.is_trying, lane.waiting.is_empty()) {
            (false, true) => {
                self.due.remove(&(lane.due, row));
                self.lanes.remove(&row);
            }
            (false, false) => self.reschedule(row, due),
            (true, _) => {}
        }
    }

    /// Drops a parcel that was to wait, and keeps what was said about its device.
    fn supersede(&mut self, parcel: Box<Parcel>, due: Due, dropped: &mut Vec<Dropped>) {
        let row = parcel.push.row;
        if let Some(lane) = self.lanes.get_mut(&row) {
            lane.not_before = lane.not_before.max(due.not_before);
        }
        self.tidy(row);
        dropped.push(Dropped { parcel, why: DropReason::Superseded });
    }

    fn make_room(&mut self, server: i64, limits: &Limits, dropped: &mut Vec<Dropped>) {
        while let Some((row, number, reason)) = self.room.too_much(limits, server) {
            let Some(lane) = self.lanes.get_mut(&row) else { return };
            let Some(parcel) = lane.remove(number) else { return };
            self.room.give_back(&parcel, true);
            dropped.push(Dropped { parcel, why: DropReason::GivenUp(reason) });
            self.tidy(row);
        }
    }
}
