//! The pushes that wait for another attempt: in memory only, bounded in bytes and in number, for all and for
//! each remote server.
//!
//! What waits for one device stands in one lane, in the order it came; only its head is tried. When there is no
//! room, the least urgent goes first: removals before messages, old before new.

mod first_attempts;
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

use super::parcel::Parcel;
use crate::{domain::device::Row, metrics::GivenUpReason, providers::AppKey};

pub(super) use first_attempts::FirstAttempt;
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

    /// Leave for the first attempt of a parcel, if nothing is before it for its device: nothing that waits, and for a
    /// removal no message that is under way for the first time.
    pub(super) fn first_attempt(&self, parcel: &Parcel) -> Option<FirstAttempt<'_>> {
        let row = parcel.push.row;
        let mut state = self.state();
        if state.lanes.contains_key(&row)
            || parcel.is_removal() && state.first_attempts.are_under_way(row)
        {
            return None;
        }
        if !parcel.is_message() {
            return Some(FirstAttempt::new(self, None));
        }
        state.first_attempts.begin(row);
        Some(FirstAttempt::new(self, Some(row)))
    }

    /// Lets a removal go on that waited for the last of them.
    fn first_attempt_ended(&self, row: Row) {
        {
            let mut state = self.state();
            if !state.first_attempts.end(row) {
                return;
            }
            let Some(lane) = state.lanes.get_mut(&row) else { return };
            if !std::mem::take(&mut lane.is_held) {
                return;
            }
            state.reschedule(row, Duration::ZERO);
        }
        self.changed.notify_one();
    }

    /// Takes a parcel; behind those that wait for its device already, if there are any. What had to go for it.
    pub(super) fn insert(&self, parcel: Box<Parcel>, due: Due) -> Vec<Dropped> {
        let dropped = {
            let mut state = self.state();
            let dropped = state.insert(parcel, due, &self.limits);
            self.noted(&state);
            dropped
        };
        self.changed.notify_one();
        dropped
    }

    /// A parcel whose time has come and whose app has room, of each server in turn; its lane stands still until
    /// [`Store::again`] or [`Store::decided`].
    pub(super) fn take_due(
        &self,
        now: Duration,
        has_room: impl Fn(AppKey) -> bool,
    ) -> Option<Box<Parcel>> {
        let mut state = self.state();
        let State { lanes, due, turns, room, first_attempts, .. } = &mut *state;
        while let Some(&(at, row)) = due.first()
            && at <= now
        {
            due.pop_first();
            let Some(lane) = lanes.get_mut(&row) else { continue };
            if let Some(head) = lane.waiting.front()
                && !std::mem::replace(&mut lane.is_in_line, true)
            {
                turns.entry(head.app).or_default().wait(head.job.server.id, row);
            }
        }
        loop {
            let mut with_room = turns.iter_mut().filter(|(app, _)| app.is_none_or(&has_room));
            let row = with_room.find_map(|(_, turns)| turns.next())?;
            // Its lane may have come to its end, or be meant for later, since it got in line.
            let Some(lane) = lanes.get_mut(&row) else { continue };
            lane.is_in_line = false;
            if lane.is_trying || lane.due > now {
                continue;
            }
            due.remove(&(lane.due, row));
            let Some(head) = lane.waiting.front() else { continue };
            if let Some(wait) = first_attempts.wait_of(head) {
                lane.is_held = true;
                lane.due = now + wait;
                due.insert((lane.due, row));
                continue;
            }
            lane.is_held = false;
            let Some(parcel) = lane.waiting.pop_front() else { continue };
            lane.is_trying = true;
            room.is_tried(&parcel);
            return Some(parcel);
        }
    }

    /// Puts a parcel back at the head of its lane. What had to go for it.
    pub(super) fn again(&self, parcel: Box<Parcel>, due: Due) -> Vec<Dropped> {
        let dropped = {
            let mut state = self.state();
            let dropped = state.again(parcel, due, &self.limits);
            self.noted(&state);
            dropped
        };
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

    /// When something is due next; at the end of time where all of it waits for room.
    pub(super) fn next_due(&self, has_room: impl Fn(AppKey) -> bool) -> Option<Duration> {
        let state = self.state();
        let mut in_line = state.turns.iter().filter(|(_, turns)| !turns.is_empty()).peekable();
        let at_the_latest = in_line.peek().map(|_| Duration::MAX);
        match in_line.any(|(app, _)| app.is_none_or(&has_room)) {
            true => Some(Duration::ZERO),
            false => state.due.first().map(|(at, _)| *at).or(at_the_latest),
        }
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
