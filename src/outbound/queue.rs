//! Who is next: those who wait, served round robin over the owners they belong to.

use std::collections::{BTreeMap, HashMap};

/// An owner has at most this part of all places while others wait.
const SHARE: usize = 4;

/// Those who wait, and how much each owner has under way; `T` is how a waiting one is told.
///
/// An owner for whom nobody waits and nothing is under way takes no memory.
pub(super) struct FairQueue<T> {
    owners: HashMap<i64, Owner<T>>,
    /// Owners for whom somebody waits, by their turn.
    turns: BTreeMap<u64, i64>,
    next_number: u64,
    in_flight: usize,
}

struct Owner<T> {
    in_flight: usize,
    /// By ticket: a lower one came earlier.
    waiting: BTreeMap<u64, T>,
    turn: u64,
}

impl<T> Default for Owner<T> {
    fn default() -> Self {
        Self { in_flight: 0, waiting: BTreeMap::new(), turn: 0 }
    }
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { owners: HashMap::new(), turns: BTreeMap::new(), next_number: 0, in_flight: 0 }
    }
}

impl<T> FairQueue<T> {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// A number that no other ticket has, and higher than those before.
    pub(super) fn ticket(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The owner has one more under way.
    pub(super) fn took(&mut self, owner: i64) {
        self.in_flight += 1;
        self.owners.entry(owner).or_default().in_flight += 1;
    }

    /// The owner has one less under way.
    pub(super) fn gave_back(&mut self, owner: i64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(known) = self.owners.get_mut(&owner) {
            known.in_flight = known.in_flight.saturating_sub(1);
            self.forget_if_done(owner);
        }
    }

    /// Waits; with the ticket of an earlier wait it stands before those of its owner who came later.
    pub(super) fn wait(&mut self, owner: i64, ticket: u64, waiting: T) {
        let turn = self.ticket();
        let known = self.owners.entry(owner).or_default();
        if known.waiting.is_empty() {
            known.turn = turn;
            self.turns.insert(turn, owner);
        }
        known.waiting.insert(ticket, waiting);
    }

    /// Gives up waiting; nothing when it does not wait any more.
    pub(super) fn leave(&mut self, owner: i64, ticket: u64) -> Option<T> {
        let known = self.owners.get_mut(&owner)?;
        let waiting = known.waiting.remove(&ticket)?;
        if known.waiting.is_empty() {
            self.turns.remove(&known.turn);
            self.forget_if_done(owner);
        }
        Some(waiting)
    }

    /// Gives one of `places` places to who is next; it is under way from now on.
    ///
    /// Owners who have their share stand back for those who do not. When all who wait have it, they take
    /// turns: an idle place would help nobody.
    pub(super) fn next(&mut self, places: usize) -> Option<(i64, T)> {
        // Places that the peer took back are still in use.
        let share = places.max(self.in_flight).div_ceil(SHARE);
        let first = *self.turns.first_key_value()?.0;
        // At most four owners can have a fourth, so that this looks at five at most.
        let below = self.turns.iter().find(|(_, owner)| self.owners[owner].in_flight < share);
        let turn = below.map_or(first, |(turn, _)| *turn);
        let owner = self.turns.remove(&turn)?;
        let next_turn = self.ticket();
        let known = self.owners.get_mut(&owner)?;
        let (_, waiting) = known.waiting.pop_first()?;
        known.in_flight += 1;
        self.in_flight += 1;
        if !known.waiting.is_empty() {
            known.turn = next_turn;
            self.turns.insert(next_turn, owner);
        }
        Some((owner, waiting))
    }

    /// Takes out all who wait.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.turns.clear();
        let all = self.owners.values_mut();
        let all = all.flat_map(|owner| std::mem::take(&mut owner.waiting).into_values()).collect();
        self.owners.retain(|_, owner| owner.in_flight > 0);
        all
    }

    fn forget_if_done(&mut self, owner: i64) {
        if self.owners.get(&owner).is_some_and(|o| o.in_flight == 0 && o.waiting.is_empty()) {
            self.owners.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: i64 = 1;
    const QUIET: i64 = 2;

    fn queue_of(waiting: &[(i64, u32)]) -> FairQueue<(i64, u32)> {
        let mut queue = FairQueue::default();
        for &(owner, number) in waiting {
            let ticket = queue.ticket();
            queue.wait(owner, ticket, (owner, number));
        }
        queue
    }

    fn order(queue: &mut FairQueue<(i64, u32)>, places: usize) -> Vec<(i64, u32)> {
        std::iter::from_fn(|| queue.next(places).map(|(_, waiting)| waiting)).collect()
    }

    #[test]
    fn owners_take_turns_and_each_ones_own_stay_in_order() {
        let mut queue = queue_of(&[(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2)]);
        let expected = [(1, 1), (2, 1), (3, 1), (1, 2), (3, 2), (1, 3)];
        assert_eq!(order(&mut queue, 100), expected);
    }

    #[test]
    fn a_newcomer_waits_for_one_round_at_most() {
        let mut queue = queue_of(&[(1, 1), (1, 2), (3, 1), (3, 2)]);
        assert_eq!(queue.next(100), Some((1, (1, 1))));
        let ticket = queue.ticket();
        queue.wait(QUIET, ticket, (QUIET, 1));
        assert_eq!(order(&mut queue, 100), [(3, 1), (1, 2), (QUIET, 1), (3, 2)]);
    }

    #[test]
    fn who_has_a_fourth_stands_back_while_others_wait() {
        let mut queue = queue_of(&[(FLOOD, 1), (QUIET, 1), (QUIET, 2), (QUIET, 3)]);
        (0..2).for_each(|_| queue.took(FLOOD));
        // Two of eight are a fourth.
        let expected = [(QUIET, 1), (QUIET, 2), (FLOOD, 1), (QUIET, 3)];
        assert_eq!(order(&mut queue, 8), expected, "with a fourth each they take turns");
    }

    #[test]
    fn alone_an_owner_has_all_places() {
        let mut queue = queue_of(&(0..8).map(|number| (FLOOD, number)).collect::<Vec<_>>());
        assert_eq!(order(&mut queue, 8).len(), 8);
    }

    #[test]
    fn places_that_were_taken_back_count_until_they_are_free() {
        let mut queue = queue_of(&[(FLOOD, 1), (QUIET, 1)]);
        (0..100).for_each(|_| queue.took(FLOOD));
        assert_eq!(order(&mut queue, 1), [(QUIET, 1), (FLOOD, 1)]);
    }

    #[test]
    fn who_gives_up_leaves_no_trace() {
        let mut queue = FairQueue::default();
        let tickets: Vec<u64> = (0..3).map(|_| queue.ticket()).collect();
        for &ticket in &tickets {
            queue.wait(FLOOD, ticket, ticket);
        }
        assert_eq!(queue.leave(FLOOD, tickets[1]), Some(tickets[1]));
        assert_eq!(queue.leave(FLOOD, tickets[1]), None);
        assert_eq!(queue.next(9), Some((FLOOD, tickets[0])));
        assert_eq!(queue.leave(FLOOD, tickets[2]), Some(tickets[2]));
        assert!(queue.is_empty() && queue.turns.is_empty());
        queue.gave_back(FLOOD);
        assert!(queue.owners.is_empty());
        assert_eq!(queue.in_flight, 0);
    }

    #[test]
    fn an_old_ticket_goes_before_those_who_came_later() {
        let mut queue = FairQueue::default();
        let (old, new) = (queue.ticket(), queue.ticket());
        queue.wait(FLOOD, new, "new");
        queue.wait(FLOOD, old, "old");
        assert_eq!(queue.next(9), Some((FLOOD, "old")));
    }

    #[test]
    fn all_who_wait_can_be_told_at_once() {
        let mut queue = queue_of(&[(1, 1), (2, 1), (2, 2)]);
        queue.took(2);
        assert_eq!(queue.take_all().len(), 3);
        assert!(queue.is_empty());
        queue.gave_back(2);
        assert!(queue.owners.is_empty());
    }
}
