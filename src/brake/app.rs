//! What the brake knows of one app.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicBool, AtomicI64, AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::{
    by_server::ByServer,
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

    fn has_several_servers(&self, minute: u64) -> bool {
        let other = self.other_server.load(Relaxed);
        other > 0 && other + self.window_minutes > minute
    }

    /// Forgets what was counted.
    pub(super) fn begin_anew(&self) {
        self.window.clear();
        self.by_server().clear();
    }

    /// Refusals within the window of the server that has most of them.
    fn most_of_one_server(&self, minute: u64) -> u64 {
        self.by_server().most(minute, self.window_minutes)
    }

    fn by_server(&self) -> MutexGuard<'_, ByServer> {
        self.by_server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many devices are called bad that the push service is not believed. One server alone proves nothing
    /// while others send enough to tell: whoever registers nonsense must not stop the removals of all.
    pub(super) fn is_beyond(&self, config: &BrakeConfig, minute: u64) -> Option<Sums> {
        let sums = self.window.sums(minute);
        #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 pushes in a day")]
        let is_beyond = |sums: Sums| {
            sums.sends >= config.min_pushes.into()
                && sums.refusals as f64 > config.ratio * sums.sends as f64
        };
        if !is_beyond(sums) {
            return None;
        }
        if !self.has_several_servers(minute) {
            return Some(sums);
        }
        let one = self.most_of_one_server(minute);
        let others = Sums {
            sends: sums.sends.saturating_sub(one),
            refusals: sums.refusals.saturating_sub(one),
        };
        (others.sends < config.min_pushes.into() || is_beyond(others)).then_some(sums)
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
