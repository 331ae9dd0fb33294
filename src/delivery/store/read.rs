//! What was read a moment ago: a message that is under way to a device when its removal goes out, and then fails,
//! is not sent again, since nothing would take it down any more.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    delivery::parcel::Parcel,
    domain::{device::Row, notification::Content},
};

/// Longer than an attempt takes.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Removals that are remembered, at most.
const MOST: usize = 10_000;

/// Removals of the last minute.
#[derive(Default)]
pub(super) struct Read {
    by_row: HashMap<Row, Vec<Removal>>,
    oldest_first: VecDeque<(Duration, Row)>,
}

struct Removal {
    came: Duration,
    /// In ascending order.
    messages: Arc<[i64]>,
}

impl Read {
    /// Notes a removal.
    pub(super) fn note(&mut self, row: Row, messages: Arc<[i64]>, now: Duration) {
        while let Some(&(noted, row)) = self.oldest_first.front()
            && (noted + KEPT_FOR < now || self.oldest_first.len() >= MOST)
        {
            self.oldest_first.pop_front();
            if let Some(removals) = self.by_row.get_mut(&row) {
                removals.remove(0);
                if removals.is_empty() {
                    self.by_row.remove(&row);
                }
            }
        }
        self.by_row.entry(row).or_default().push(Removal { came: now, messages });
        self.oldest_first.push_back((now, row));
    }

    /// Whether the message of this push was read since it came.
    pub(super) fn was_read(&self, parcel: &Parcel) -> bool {
        let Content::Message(id) = &parcel.about().content else { return false };
        let removals = self.by_row.get(&parcel.push.row);
        let is_it = |removal: &Removal| {
            parcel.came <= removal.came && removal.messages.binary_search(id).is_ok()
        };
        removals.is_some_and(|removals| removals.iter().any(is_it))
    }
}
