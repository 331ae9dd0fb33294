//! What was done to the requests of a fake: with its log, what became of each.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use push_bouncer::sandbox::faults::{Act, Seen};

/// The journals of Apple's and Google's fakes.
#[derive(Default)]
pub(super) struct Journals {
    pub(super) apns: Journal,
    pub(super) fcm: Journal,
}

/// What was done to the requests of one fake; clones write the same.
#[derive(Clone, Default)]
pub(super) struct Journal {
    notes: Arc<Mutex<Notes>>,
}

#[derive(Default)]
pub(super) struct Notes {
    /// What was done to each request that is logged, by connection, in the order of the log: between the script and
    /// the log nothing else happens on the connection.
    pub(super) logged: HashMap<u64, VecDeque<Done>>,
    /// When a connection was cut.
    pub(super) cuts: HashMap<u64, Instant>,
    /// When all connections were cut.
    pub(super) breaks: Vec<Instant>,
    /// When all connections fell silent, and went on.
    pub(super) silences: Vec<(Instant, Instant)>,
    /// All of Apple's ids that were seen.
    pub(super) ids: HashSet<String>,
    /// How often each kind of fault happened.
    pub(super) faults: BTreeMap<&'static str, usize>,
    /// How often the number of streams fell.
    pub(super) falls: usize,
}

/// What was done to a request.
#[derive(Clone)]
pub(super) struct Done {
    pub(super) at: Instant,
    pub(super) delay: Duration,
    /// The reason it was refused with.
    pub(super) refusal: Option<String>,
}

impl Journal {
    /// Notes what is done to a request.
    pub(super) fn note(&self, seen: &Seen, act: &Act) {
        let mut notes = self.notes();
        let at = Instant::now();
        if let Some(id) = &seen.apns_id {
            notes.ids.insert(id.clone());
        }
        let (name, is_logged) = match act {
            Act::Answer => ("", true),
            Act::AnswerAfter(delay) if *delay < super::weather::LATE => ("slow answer", true),
            Act::AnswerAfter(_) => ("late answer", true),
            Act::Refuse(_) => ("refusal", true),
            Act::Reset { code: h2::Reason::REFUSED_STREAM, .. } => ("refused stream", false),
            Act::Reset { is_accepted: false, .. } => ("reset", false),
            Act::Reset { is_accepted: true, .. } => ("reset after acceptance", true),
            Act::Cut { is_accepted: false } => ("cut", false),
            Act::Cut { is_accepted: true } => ("cut after acceptance", true),
            Act::Goaway { .. } => ("goaway", false),
            Act::Swallow => ("swallowed", false),
        };
        if !name.is_empty() {
            notes.count(name);
        }
        if matches!(act, Act::Cut { .. }) {
            notes.cuts.entry(seen.connection).or_insert(at);
        }
        if is_logged {
            let delay = if let Act::AnswerAfter(delay) = act { *delay } else { Duration::ZERO };
            let refusal = if let Act::Refuse(reason) = act { Some(reason.clone()) } else { None };
            let done = Done { at, delay, refusal };
            notes.logged.entry(seen.connection).or_default().push_back(done);
        }
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }
}

impl Notes {
    /// Counts a fault.
    pub(super) fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }
}
