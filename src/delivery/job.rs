//! What all pushes of one notification have in common, and what became of each of them.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use super::duplicates::Found;
use crate::{
    clock::Timestamp,
    domain::{notification::Origin, remote_server::RemoteServer},
};

/// What became of one push so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet: its first attempt is under way.
    Pending,
    /// It is tried again behind the answer.
    Waiting,
    /// The push service took it, now or by an earlier request.
    Accepted,
    /// The device is gone, and so is its row.
    Gone,
    /// It was refused for good, or given up.
    NotAccepted,
}

/// One notification with all its pushes.
pub struct Job {
    pub(super) server: Arc<RemoteServer>,
    pub(super) realm_id: Option<i64>,
    pub(super) origin: Origin,
    pub(super) asked_at: Timestamp,
    /// What finds the notification out when it comes again.
    pub(super) remembered: Option<Found>,
    fates: Box<[AtomicU8]>,
    /// Pushes without a first outcome.
    pending: AtomicUsize,
    /// Pushes without a final outcome.
    undecided: AtomicUsize,
    accepted: AtomicUsize,
    /// Accepted, and not yet counted for the server.
    uncounted: AtomicUsize,
    changed: Notify,
}

/// Of a job, when something has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Accepted pushes that are to be counted now.
    pub(super) accepted: usize,
    /// The last push was decided.
    pub(super) is_done: bool,
}

impl Job {
    pub(super) fn new(
        server: Arc<RemoteServer>,
        realm_id: Option<i64>,
        origin: Origin,
        asked_at: Timestamp,
        remembered: Option<Found>,
        pushes: usize,
    ) -> Self {
        Self {
            server,
            realm_id,
            origin,
            asked_at,
            remembered,
            fates: (0..pushes).map(|_| AtomicU8::new(encode(Fate::Pending))).collect(),
            pending: AtomicUsize::new(pushes),
            undecided: AtomicUsize::new(pushes),
            accepted: AtomicUsize::new(0),
            uncounted: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// What became of each push by now, in the order they were given.
    pub fn fates(&self) -> impl Iterator<Item = Fate> {
        self.fates.iter().map(|fate| decode(fate.load(Ordering::Acquire)))
    }

    /// Waits until each push has its first outcome; for one caller.
    pub async fn first_outcomes(&self) {
        while self.pending.load(Ordering::Acquire) > 0 {
            self.changed.notified().await;
        }
    }

    pub(super) fn pushes(&self) -> usize {
        self.fates.len()
    }

    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Acquire)
    }

    /// Notes that a push is tried again later.
    pub(super) fn waits(&self, index: usize) -> Progress {
        self.note(index, Fate::Waiting)
    }

    /// Notes the final outcome of a push.
    pub(super) fn decide(&self, index: usize, fate: Fate) -> Progress {
        if fate == Fate::Accepted {
            self.accepted.fetch_add(1, Ordering::AcqRel);
            self.uncounted.fetch_add(1, Ordering::AcqRel);
        }
        self.end(index, fate)
    }

    /// Notes the final outcome of a push that counts for another request, or for none.
    pub(super) fn decide_uncounted(&self, index: usize, fate: Fate) -> Progress {
        if fate == Fate::Accepted {
            self.accepted.fetch_add(1, Ordering::AcqRel);
        }
        self.end(index, fate)
    }

    fn end(&self, index: usize, fate: Fate) -> Progress {
        debug_assert!(!matches!(fate, Fate::Pending | Fate::Waiting), "it is final");
        let progress = self.note(index, fate);
        let is_done = self.undecided.fetch_sub(1, Ordering::AcqRel) == 1;
        Progress { is_done, ..progress }
    }

    /// While first outcomes are missing, acceptances are collected: one note in the counts is enough.
    fn note(&self, index: usize, fate: Fate) -> Progress {
        let before = self.fates[index].swap(encode(fate), Ordering::AcqRel);
        let are_first_known = match decode(before) {
            Fate::Pending => self.pending.fetch_sub(1, Ordering::AcqRel) == 1,
            _ => self.pending.load(Ordering::Acquire) == 0,
        };
        if !are_first_known {
            return Progress { accepted: 0, is_done: false };
        }
        self.changed.notify_one();
        Progress { accepted: self.uncounted.swap(0, Ordering::AcqRel), is_done: false }
    }
}

fn encode(fate: Fate) -> u8 {
    match fate {
        Fate::Pending => 0,
        Fate::Waiting => 1,
        Fate::Accepted => 2,
        Fate::Gone => 3,
        Fate::NotAccepted => 4,
    }
}

fn decode(fate: u8) -> Fate {
    match fate {
        0 => Fate::Pending,
        1 => Fate::Waiting,
        2 => Fate::Accepted,
        3 => Fate::Gone,
        _ => Fate::NotAccepted,
    }
}
