//! What must have arrived: everything but messages that were read before they could be sent, and their removals.

use std::collections::{HashMap, HashSet};

use super::{crowd::Notification, plan::Plan};
use crate::world::Kind;

/// A push: the service, the device and the notification.
pub(super) type Pair = (Kind, String, u64);

/// What was asked for of one service.
pub(super) struct Expected {
    pub(super) pairs: HashSet<Pair>,
    /// The message that a removal takes down.
    removals: HashMap<Pair, Pair>,
}

impl Expected {
    pub(super) fn of(said: &[Notification], kind: Kind) -> Self {
        let mut removals = HashMap::new();
        for notification in said {
            let Some(message) = notification.removes else { continue };
            for (kind, token, number) in pairs(notification).filter(|pair| pair.0 == kind) {
                removals.insert((kind, token.clone(), number), (kind, token, message));
            }
        }
        let pairs = said.iter().flat_map(pairs).filter(|pair| pair.0 == kind).collect();
        Self { pairs, removals }
    }

    /// Holds what was accepted, by its places in the log, against it; how many were needless because a message was
    /// read before it was sent.
    pub(super) fn needless(&self, accepted: &HashMap<Pair, Vec<usize>>, plan: Plan) -> usize {
        let mut missing: HashSet<&Pair> =
            self.pairs.iter().filter(|pair| !accepted.contains_key(*pair)).collect();
        let needless = missing.len();
        for (removal, message) in &self.removals {
            match (accepted.get(message), accepted.get(removal)) {
                (Some(_), None) => {
                    panic!("{removal:?} leaves its message on the phone, seed {}", plan.seed)
                }
                // What had no answer in time may arrive at any time.
                (Some(shown), Some(taken_down)) if !plan.are_answers_lost => {
                    assert!(
                        shown.last() < taken_down.first(),
                        "{removal:?} overtook its message, seed {}",
                        plan.seed
                    );
                }
                (Some(_), Some(_)) => {}
                (None, _) => {
                    missing.remove(message);
                    missing.remove(removal);
                }
            }
        }
        if let Some(lost) = missing.iter().next() {
            panic!("{} pushes were lost, {lost:?}, seed {}", missing.len(), plan.seed);
        }
        needless
    }
}

fn pairs(notification: &Notification) -> impl Iterator<Item = Pair> {
    let number = notification.number;
    notification.devices.iter().map(move |(kind, token)| (*kind, token.clone(), number))
}
