//! What the brake knows of one app.

mod sharing;

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use self::sharing::Shared;
use super::{
    by_server::ByServer,
    told::Servers,
    window::{Sums, Window, minutes},
};
use crate::{
    config::BrakeConfig,
    domain::device::{AppId, Provider, Target},
    metrics::AppLabels,
    registry::AppDevices,
};

/// So many devices go in doubt before a push to their topic was accepted.
///
/// One bad token on a bouncer that has done nothing else yet is removed, as the protocol says; where all are
/// called bad, the topic or the environment is wrong.
const REMOVED_UNPROVEN: u32 = 2;

/// What the brake knows of one app.
pub(super) struct App {
    pub(super) devices: AppDevices,
    pub(super) window: Window,
    /// In the order of the configuration; one without a name for a Firebase project.
    topics: Box<[Topic]>,
    window_minutes: u64,
    is_engaged: AtomicBool,
    /// The first server that was sent for, plus one; 0 before.
    first_server: AtomicI64,
    /// The minute of the last push for another one, plus one; 0 before the first.
    other_server: AtomicU64,
    by_server: Mutex<ByServer>,
    shared: Mutex<Shared>,
}

/// What is known of a topic of an app: each may be wrong by itself.
struct Topic {
    id: Option<AppId>,
    /// The minute of the last push that was accepted, plus one; 0 before the first.
    accepted: AtomicU64,
    /// Devices that went in doubt since.
    removed: AtomicU32,
}

/// Leave to remove a device in doubt.
pub(super) enum Leave {
    /// Pushes to the topic are accepted.
    Proven,
    /// It is one of the few before the first accepted push.
    Reserved,
    /// The topic may be wrong.
    None,
}

impl App {
    pub(super) fn new(devices: AppDevices, config: &BrakeConfig) -> Self {
        let topic = |id| Topic { id, accepted: AtomicU64::new(0), removed: AtomicU32::new(0) };
        let topics = match devices.provider {
            Provider::Apns => devices
                .topics
                .iter()
                .filter_map(|id| AppId::parse(id))
                .map(Some)
                .map(topic)
                .collect(),
            Provider::Fcm => Box::from([topic(None)]),
        };
        Self {
            window: Window::new(config.window),
            topics,
            window_minutes: minutes(config.window),
            is_engaged: AtomicBool::new(false),
            first_server: AtomicI64::new(0),
            other_server: AtomicU64::new(0),
            by_server: Mutex::default(),
            shared: Mutex::default(),
            devices,
        }
    }

    pub(super) fn is_engaged(&self) -> bool {
        self.is_engaged.load(Acquire)
    }

    pub(super) fn set_engaged(&self, is_engaged: bool) {
        self.is_engaged.store(is_engaged, Release);
    }

    /// Its labels in metrics.
    pub(super) fn labels(&self) -> AppLabels {
        AppLabels { provider: self.devices.provider, app: self.devices.name.to_string() }
    }

    /// Notes that a push called its device bad.
    pub(super) fn refused(&self, server: i64, minute: u64) {
        self.window.refusal(minute);
        self.sent_for(server, minute);
        self.by_server().count(server, minute, self.window_minutes);
    }

    /// Notes whether there is more than one server.
    fn sent_for(&self, server: i64, minute: u64) {
        let first = self.first_server.load(Relaxed);
        if first == server + 1 {
            return;
        }
        if first == 0 && self.first_server.compare_exchange(0, server + 1, Relaxed, Relaxed).is_ok()
        {
            return;
        }
        if self.other_server.load(Relaxed) != minute + 1 {
            self.other_server.store(minute + 1, Relaxed);
        }
    }

    fn first_server(&self) -> Option<i64> {
        let first = self.first_server.load(Relaxed);
        (first > 0).then(|| first - 1)
    }

    /// How many minutes ago another server was sent for, if that is within the window.
    fn other_server_ago(&self, minute: u64) -> Option<u64> {
        let other = self.other_server.load(Relaxed).checked_sub(1)?;
        let ago = minute.saturating_sub(other);
        (ago <= self.window_minutes).then_some(ago)
    }

    /// How many whole minutes the window has.
    pub(super) fn window_minutes(&self) -> u64 {
        self.window_minutes
    }

    /// Forgets what was counted.
    fn clear(&self) {
        self.window.clear();
        self.by_server().clear();
    }

    fn by_server(&self) -> MutexGuard<'_, ByServer> {
        self.by_server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many devices are called bad that the push service is not believed. One server alone proves nothing
    /// while others send enough to tell: whoever registers nonsense must not stop the removals of all.
    ///
    /// What counts is what this node has counted by now, and what the others told last.
    pub(super) fn is_beyond(&self, config: &BrakeConfig, minute: u64) -> Option<Sums> {
        let others = &self.shared().others;
        let sums = self.window.sums(minute).and(others.sums);
        #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 pushes in a day")]
        let is_beyond = |sums: Sums| {
            sums.sends >= config.min_pushes.into()
                && sums.refusals as f64 > config.ratio * sums.sends as f64
        };
        if !is_beyond(sums) {
            return None;
        }
        if self.servers(minute).and(others.servers) != Servers::Several {
            return Some(sums);
        }
        let one = self.by_server().most(minute, self.window_minutes, &others.by_server);
        let rest = Sums {
            sends: sums.sends.saturating_sub(one),
            refusals: sums.refusals.saturating_sub(one),
        };
        (rest.sends < config.min_pushes.into() || is_beyond(rest)).then_some(sums)
    }

    /// Notes that a push was accepted.
    pub(super) fn accepted(&self, target: &Target, server: i64, minute: u64) {
        self.window.send(minute);
        self.sent_for(server, minute);
        let Some(topic) = self.topic(target) else { return };
        // Nearly always there is nothing to write, and no other core has to hear of it.
        if topic.accepted.load(Relaxed) != minute + 1 {
            topic.accepted.store(minute + 1, Relaxed);
        }
        if topic.removed.load(Relaxed) != 0 {
            topic.removed.store(0, Relaxed);
        }
    }

    /// Whether a device that is called bad may go. A suspect is one because the topic was in doubt: it stays until
    /// the topic is proven.
    pub(super) fn leave(&self, target: &Target, minute: u64, is_suspect: bool) -> Leave {
        let Some(topic) = self.topic(target) else { return Leave::None };
        let accepted = topic.accepted.load(Relaxed);
        if accepted > 0 && accepted + self.window_minutes > minute {
            return Leave::Proven;
        }
        if is_suspect {
            return Leave::None;
        }
        let reserved = topic.removed.fetch_update(Relaxed, Relaxed, |removed| {
            (removed < REMOVED_UNPROVEN).then_some(removed + 1)
        });
        if reserved.is_ok() { Leave::Reserved } else { Leave::None }
    }

    /// Gives back what was reserved for a device that did not go.
    pub(super) fn give_back(&self, target: &Target) {
        if let Some(topic) = self.topic(target) {
            let _ = topic.removed.fetch_update(Relaxed, Relaxed, |removed| removed.checked_sub(1));
        }
    }

    fn topic(&self, target: &Target) -> Option<&Topic> {
        match self.devices.provider {
            Provider::Apns => self.topics.iter().find(|topic| topic.id == target.app_id),
            Provider::Fcm => self.topics.first(),
        }
    }
}
