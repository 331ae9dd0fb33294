//! Who takes how much room, and who goes when there is too little.

use std::collections::HashMap;

use super::ByUrgency;
use crate::{
    delivery::parcel::{Class, Parcel},
    domain::device::{Provider, Row},
    metrics::GivenUpReason,
};

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(in crate::delivery) struct Limits {
    /// Memory, in bytes.
    pub(in crate::delivery) bytes: usize,
    /// Parcels.
    pub(in crate::delivery) parcels: usize,
}

/// One server has this part of it at most, so that it cannot crowd out the others.
const SHARE: usize = 4;

/// All that is in the store, also what is being tried.
#[derive(Default)]
pub(super) struct Room {
    all: Taken,
    servers: HashMap<i64, Taken>,
    /// Parcels in the store that lean on a body, by where it lies.
    bodies: HashMap<usize, usize>,
    by_provider: [usize; 2],
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    parcels: usize,
    /// What may be dropped, the least urgent first.
    waiting: ByUrgency,
}

impl Taken {
    fn is_above(&self, bytes: usize, parcels: usize) -> bool {
        self.bytes > bytes || self.parcels > parcels
    }

    fn least_urgent(&self) -> Option<(Row, u64)> {
        self.waiting.first_key_value().map(|((_, number), row)| (*row, *number))
    }
}

impl Room {
    pub(super) fn bytes(&self) -> usize {
        self.all.bytes
    }

    pub(super) fn by_provider(&self) -> [usize; 2] {
        self.by_provider
    }

    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.all.bytes >= limits.bytes || self.all.parcels >= limits.parcels
    }

    /// The oldest waiting parcel of each class.
    pub(super) fn oldest(&self) -> [Option<(Row, u64)>; 2] {
        [Class::Removal, Class::Message].map(|class| {
            let ((_, number), row) =
                self.all.waiting.range((class, 0)..=(class, u64::MAX)).next()?;
            Some((*row, *number))
        })
    }

    /// A parcel comes in.
    pub(super) fn take(&mut self, parcel: &Parcel, is_waiting: bool) {
        let (place, length) = parcel.body();
        let leaning = self.bodies.entry(place).or_insert(0);
        let shared = if *leaning == 0 { length } else { 0 };
        *leaning += 1;
        let bytes = parcel.own_bytes() + shared;
        for taken in [&mut self.all, self.servers.entry(parcel.job.server.id).or_default()] {
            taken.bytes += bytes;
            taken.parcels += 1;
        }
        self.by_provider[place_of(parcel.provider())] += 1;
        if is_waiting {
            self.waits_again(parcel);
        }
    }

    /// A parcel leaves.
    pub(super) fn give_back(&mut self, parcel: &Parcel, is_waiting: bool) {
        if is_waiting {
            self.is_tried(parcel);
        }
        let (place, length) = parcel.body();
        let mut shared = 0;
        if let Some(leaning) = self.bodies.get_mut(&place) {
            *leaning = leaning.saturating_sub(1);
            if *leaning == 0 {
                self.bodies.remove(&place);
                shared = length;
            }
        }
        let bytes = parcel.own_bytes() + shared;
        self.all.bytes = self.all.bytes.saturating_sub(bytes);
        self.all.parcels = self.all.parcels.saturating_sub(1);
        let server = parcel.job.server.id;
        if let Some(taken) = self.servers.get_mut(&server) {
            taken.bytes = taken.bytes.saturating_sub(bytes);
            taken.parcels = taken.parcels.saturating_sub(1);
            if taken.parcels == 0 {
                self.servers.remove(&server);
            }
        }
        let of_provider = &mut self.by_provider[place_of(parcel.provider())];
        *of_provider = of_provider.saturating_sub(1);
    }

    /// A parcel is being tried, and cannot be dropped.
    pub(super) fn is_tried(&mut self, parcel: &Parcel) {
        self.all.waiting.remove(&parcel.urgency());
        if let Some(taken) = self.servers.get_mut(&parcel.job.server.id) {
            taken.waiting.remove(&parcel.urgency());
        }
    }

    /// A parcel waits.
    pub(super) fn waits_again(&mut self, parcel: &Parcel) {
        self.all.waiting.insert(parcel.urgency(), parcel.push.row);
        if let Some(taken) = self.servers.get_mut(&parcel.job.server.id) {
            taken.waiting.insert(parcel.urgency(), parcel.push.row);
        }
    }

    /// Of what is too much the least urgent parcel.
    pub(super) fn too_much(
        &self,
        limits: &Limits,
        server: i64,
    ) -> Option<(Row, u64, GivenUpReason)> {
        let of_server = self
            .servers
            .get(&server)
            .filter(|taken| taken.is_above(limits.bytes / SHARE, limits.parcels / SHARE));
        let of_server = of_server
            .and_then(Taken::least_urgent)
            .map(|(row, number)| (row, number, GivenUpReason::ServerShare));
        of_server.or_else(|| {
            let is_above = self.all.is_above(limits.bytes, limits.parcels);
            let least = is_above.then(|| self.all.least_urgent()).flatten();
            least.map(|(row, number)| (row, number, GivenUpReason::StoreFull))
        })
    }
}

fn place_of(provider: Provider) -> usize {
    match provider {
        Provider::Apns => 0,
        Provider::Fcm => 1,
    }
}
