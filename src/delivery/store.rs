//! The pushes that wait for another attempt: in memory only, bounded in bytes and in number, for all and for
//! each remote server.
//!
//! What waits for one device stands in one lane, in the order it came; only its head is tried. When there is no
//! room, the least urgent goes first: removals before messages, old before new.

mod lane;
mod room;
mod state;
mod turns;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use state::State;

use super::{parcel::Parcel, removal};
use crate::{domain::device::Row, metrics::GivenUpReason};

pub(super) use room::Limits;

/// What waits.
pub(super) struct Store {
    limits: Limits,
    state: Mutex<State>,
    lanes: AtomicUsize,
    /// Something is due earlier than before.
    pub(super) changed: Notify,
}

/// What had to go.
pub(super) struct Dropped {
    pub(super) parcel: Box<Parcel>,
    pub(super) why: DropReason,
}

/// Why it had to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DropReason {
    /// There is no room.
    GivenUp(GivenUpReason),
    /// The message was read meanwhile.
    Superseded,
}

/// When a parcel is to be tried next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) at: Duration,
    /// The push service asked that nothing be sent to the device before.
    pub(super) not_before: Duration,
}

impl Store {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), lanes: AtomicUsize::new(0), changed: Notify::new() }
    }

    /// Whether something waits for this device; costs nothing while nothing waits at all.
    pub(super) fn has_lane(&self, row: Row) -> bool {
        self.lanes.load(Ordering::Acquire) > 0 && self.state().lanes.contains_key(&row)
    }

    /// Takes a parcel; behind those that wait for its device already, if there are any. What had to go for it.
    pub(super) fn insert(&self, parcel: Box<Parcel>, due: Due) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        let (row, server) = (parcel.push.row, parcel.job.server.id);
        {
            let mut state = self.state();
            if state.is_closed {
                return vec![Dropped { parcel, why: DropReason::GivenUp(GivenUpReason::Shutdown) }];
            }
            if let Some(lane) = state.lanes.get_mut(&row) {
                let (superseded, is_superseded) = removal::meet(&mut lane.waiting, &parcel);
                for parcel in superseded {
                    state.room.give_back(&parcel, true);
                    dropped.push(Dropped { parcel, why: DropReason::Superseded });
                }
                if is_superseded {
                    dropped.push(Dropped { parcel, why: DropReason::Superseded });
                    state.tidy(row);
                    self.noted(&state);
                    return dropped;
                }
            }
            state.room.take(&parcel, true);
            state.put(parcel, due, true);
            state.make_room(server, &self.limits, &mut dropped);
            self.noted(&state);
        }
        self.changed.notify_one();
        dropped
    }

    /// A parcel whose time has come, of each server in turn; its lane stands still until [`Store::again`] or
    /// [`Store::decided`].
    pub(super) fn take_due(&self, now: Duration) -> Option<Box<Parcel>> {
        let mut state = self.state();
        let State { lanes, due, turns, room, .. } = &mut *state;
        while let Some(&(at, row)) = due.first()
            && at <= now
        {
            due.pop_first();
            if let Some(head) = lanes.get(&row).and_then(|lane| lane.waiting.front()) {
                turns.wait(head.job.server.id, row);
            }
        }
        loop {
            let row = turns.next()?;
            // Its lane may have come to its end, or be meant for later, since it got in line.
            let Some(lane) = lanes.get_mut(&row) else { continue };
            if lane.is_trying || lane.due > now {
                continue;
            }
            let Some(parcel) = lane.waiting.pop_front() else { continue };
            due.remove(&(lane.due, row));
            lane.is_trying = true;
            room.is_tried(&parcel);
            return Some(parcel);
        }
    }

    /// Puts a parcel back at the head of its lane. What had to go for it.
    pub(super) fn again(&self, parcel: Box<Parcel>, due: Due) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        let server = parcel.job.server.id;
        {
            let mut state = self.state();
            if state.is_closed {
                return vec![Dropped { parcel, why: DropReason::GivenUp(GivenUpReason::Shutdown) }];
            }
            if let Some(lane) = state.lanes.get_mut(&parcel.push.row) {
                lane.is_trying = false;
            }
            state.room.waits_again(&parcel);
            state.put(parcel, due, false);
            state.make_room(server, &self.limits, &mut dropped);
            self.noted(&state);
        }
        self.changed.notify_one();
        dropped
    }

    /// Lets the lane of a parcel that came from here go on.
    pub(super) fn decided(&self, parcel: &Parcel, now: Duration) {
        let row = parcel.push.row;
        {
            let mut state = self.state();
            state.room.give_back(parcel, false);
            if let Some(lane) = state.lanes.get_mut(&row) {
                lane.is_trying = false;
                lane.due = now;
            }
            state.tidy(row);
            self.noted(&state);
        }
        self.changed.notify_one();
    }

    /// Makes lanes due earlier that no push service asked to wait, spread over `spread`.
    pub(super) fn wake(&self, now: Duration, spread: Duration, is_meant: impl Fn(&Parcel) -> bool) {
        {
            let mut state = self.state();
            let rows: Vec<Row> = state
                .lanes
                .iter()
                .filter(|(_, lane)| lane.waiting.front().is_some_and(|head| is_meant(head)))
                .map(|(row, _)| *row)
                .collect();
            let step = spread / u32::try_from(rows.len()).unwrap_or(u32::MAX).max(1);
            let mut at = now;
            for row in rows {
                if state.lanes.get(&row).is_some_and(|lane| at < lane.due) {
                    state.reschedule(row, at);
                }
                at += step;
            }
        }
        self.changed.notify_one();
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let state = self.state();
        match state.turns.is_empty() {
            true => state.due.first().map(|(at, _)| *at),
            false => Some(Duration::ZERO),
        }
    }

    /// Whether nothing waits and nothing from here is being tried.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.load(Ordering::Acquire) == 0
    }

    /// Takes out all that waits; nothing more is taken.
    #[expect(clippy::vec_box, reason = "a parcel is moved often and is not small")]
    pub(super) fn clear(&self) -> Vec<Box<Parcel>> {
        let mut state = self.state();
        let all = std::mem::replace(&mut *state, State { is_closed: true, ..State::default() });
        self.noted(&state);
        all.lanes.into_values().flat_map(|lane| lane.waiting).collect()
    }

    /// Parcels and bytes that wait, and when the oldest of them came.
    pub(super) fn measure(&self) -> Measure {
        let state = self.state();
        let came = |(row, number)| {
            let lane = state.lanes.get(&row)?;
            let parcel = lane.waiting.iter().find(|parcel| parcel.number == number)?;
            Some(parcel.came)
        };
        let oldest = state.room.oldest().into_iter().flatten().filter_map(came).min();
        Measure { by_provider: state.room.by_provider(), bytes: state.room.bytes(), oldest }
    }

    /// Whether something has to go when more comes in.
    pub(super) fn is_full(&self) -> bool {
        self.state().room.is_full(&self.limits)
    }

    fn noted(&self, state: &State) {
        self.lanes.store(state.lanes.len(), Ordering::Release);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How full the store is.
pub(super) struct Measure {
    /// Apple's and Google's parcels.
    pub(super) by_provider: [usize; 2],
    pub(super) bytes: usize,
    pub(super) oldest: Option<Duration>,
}

/// Parcels by number, as the room knows them.
type ByUrgency = BTreeMap<(super::parcel::Class, u64), Row>;
