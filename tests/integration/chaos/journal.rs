//! What was asked for and what was acknowledged.

use std::{collections::HashMap, time::Duration};

use push_bouncer::{clock::Timestamp, random::Random};
use tokio::time::Instant;

use crate::world::Chance;

/// What the actors know in the end.
#[derive(Default)]
pub(crate) struct Journal {
    /// Phones by their tokens, no two of which are equal.
    pub(super) phones: HashMap<String, Standing>,
    pub(super) servers: Vec<Credentials>,
    pub(super) notifies: Vec<Notify>,
    /// Answers that are not true, whatever happens.
    pub(super) untrue: Vec<String>,
    /// Requests that were to come again later.
    pub(super) put_off: usize,
    /// Requests that had no answer.
    pub(super) unanswered: usize,
    /// When each answer came, and how long it took.
    pub(super) times: Vec<(Instant, Duration)>,
}

/// What may be stored of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was acknowledged to be there.
    Stored,
    /// It was acknowledged to be gone.
    Removed,
    /// A change of it was not acknowledged; nobody has changed it since.
    Unknown,
}

/// A chat server's registration.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) id: String,
    /// The key whose rotation was acknowledged last.
    pub(super) key: String,
    /// The one before it, which dies when the new one is used.
    pub(super) dead_key: Option<String>,
    pub(super) is_active: Standing,
    /// Where and when it was heard: the node, its run, and the beginning of the request.
    pub(super) heard: HashMap<(usize, usize), Timestamp>,
}

/// One notification for one phone of each kind.
pub(super) struct Notify {
    /// The id of the chat server that asked.
    pub(super) server: String,
    /// The number of its message.
    pub(super) message: i64,
    /// The node that was asked.
    pub(super) node: usize,
    /// How often the node had been killed when it was asked, and when it had answered.
    pub(super) runs: (usize, usize),
    /// When it was taken, if it was.
    pub(super) taken: Option<Instant>,
}

impl Credentials {
    /// New ones, whose key follows from the seed.
    pub(super) fn drawn(chance: &mut Chance) -> Self {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        Self {
            id: Random::default().uuid().to_string(),
            key: (0..64).map(|_| char::from(chance.one(LETTERS))).collect(),
            dead_key: None,
            is_active: Standing::Unknown,
            heard: HashMap::new(),
        }
    }
}

impl Journal {
    /// Adds what another one noted.
    pub(super) fn add(&mut self, other: Self) {
        let Self { phones, servers, notifies, untrue, put_off, unanswered, times } = other;
        self.phones.extend(phones);
        self.servers.extend(servers);
        self.notifies.extend(notifies);
        self.untrue.extend(untrue);
        self.put_off += put_off;
        self.unanswered += unanswered;
        self.times.extend(times);
    }

    /// How long answers took in this time, for people.
    pub(crate) fn times_between(&self, from: Instant, to: Instant) -> String {
        let within = self.times.iter().filter(|(at, _)| (from..to).contains(at));
        let mut times: Vec<Duration> = within.map(|(_, took)| *took).collect();
        times.sort_unstable();
        let Some(longest) = times.last() else { return "no answers".to_owned() };
        let millis = |time: &Duration| time.as_secs_f64() * 1000.0;
        let median = millis(&times[times.len() / 2]);
        format!("{} answers, p50 {median:.0} ms, longest {:.0} ms", times.len(), millis(longest))
    }
}
