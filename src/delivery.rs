//! One push, from its first attempt to its final outcome.
//!
//! The first attempt is made at once. What fails for a reason that may pass waits in memory and is tried again
//! behind the answer, until it is decided or too old. Every push ends in exactly one final outcome, and is counted
//! once.

mod attempt;
mod backoff;
mod breaker;
mod breakers;
mod duplicates;
mod ending;
mod first_attempts;
mod job;
mod outcome;
mod parcel;
mod removal;
mod sampled;
mod store;
mod worker;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use breakers::Breakers;
use duplicates::Duplicates;
use first_attempts::FirstAttempts;
use parcel::Parcel;
use sampled::Sampled;
use store::{Limits, Store};

use crate::{
    brake::Brake,
    clock::Clock,
    config::PushConfig,
    domain::{
        device::{Row, Target},
        notification::Origin,
        remote_server::RemoteServer,
    },
    metrics::Metrics,
    providers::{Message, Providers},
    random::Random,
    registry::Registry,
    secret_key::{Purpose, SecretKey},
};

pub use job::{Fate, Job};

/// First attempts under way at once; what comes on top waits in the store, where it needs less memory, and the
/// remote servers have their turns.
const MOST_TRYING: usize = 2048;

/// Sends pushes until they are decided; clones share everything.
#[derive(Clone)]
pub struct Delivery {
    shared: Arc<Shared>,
}

/// What a [`Delivery`] is made of.
pub struct DeliveryTools {
    /// The push services.
    pub providers: Arc<Providers>,
    /// Where accepted pushes are counted.
    pub registry: Registry,
    /// What becomes of dead devices.
    pub brake: Brake,
    /// The instruments.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

struct Shared {
    providers: Arc<Providers>,
    registry: Registry,
    brake: Brake,
    metrics: Arc<Metrics>,
    clock: Clock,
    random: Random,
    retry_for: Duration,
    duplicates: Duplicates,
    breakers: Breakers,
    store: Store,
    /// First attempts under way.
    trying: AtomicUsize,
    /// Those of messages, by device.
    first_attempts: FirstAttempts,
    /// Pushes that came in and have no final outcome yet, wherever they are.
    undecided: AtomicUsize,
    /// The number of the next parcel.
    next_number: AtomicU64,
    is_ending: AtomicBool,
    /// The time is over: what is under way is waited for no longer.
    cut: CancellationToken,
    log: Sampled,
    tasks: TaskTracker,
}

/// One push of a notification.
pub struct Push {
    /// Where it goes.
    pub target: Target,
    /// What it says; shared by all devices of the notification.
    pub message: Message,
    /// Which row it is for.
    pub row: Row,
    /// The push service calls the device bad, and is not believed.
    pub is_suspect: bool,
}

/// For whom pushes are sent.
pub struct Order<'a> {
    /// The server that asks.
    pub server: Arc<RemoteServer>,
    /// Our key of the realm it asks for, if it is known.
    pub realm_id: Option<i64>,
    /// The kind of request.
    pub origin: Origin,
    /// The request's body, by which it is known again.
    pub body: &'a [u8],
}

/// There is no memory for more pushes; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many pushes are under way")]
pub struct Overloaded;

impl Delivery {
    /// A delivery with nothing to do.
    #[must_use]
    pub fn new(tools: DeliveryTools, config: &PushConfig, secret_key: &SecretKey) -> Self {
        let DeliveryTools { providers, registry, brake, metrics, clock } = tools;
        let duplicates = Duplicates::new(
            secret_key.signing(Purpose::Duplicates),
            config.duplicate_window,
            config.duplicate_entries,
            clock.clone(),
            Arc::clone(&metrics),
        );
        let limits = Limits { bytes: config.retry_bytes, parcels: config.retry_devices };
        Self {
            shared: Arc::new(Shared {
                breakers: Breakers::new(providers.apps(), &metrics),
                providers,
                registry,
                brake,
                metrics,
                clock,
                random: Random::default(),
                retry_for: config.retry_for,
                duplicates,
                store: Store::new(limits),
                trying: AtomicUsize::new(0),
                first_attempts: FirstAttempts::default(),
                undecided: AtomicUsize::new(0),
                next_number: AtomicU64::new(0),
                is_ending: AtomicBool::new(false),
                cut: CancellationToken::new(),
                log: Sampled::default(),
                tasks: TaskTracker::new(),
            }),
        }
    }

    /// Whether another notification may come in; to be asked before any work is done for it.
    ///
    /// # Errors
    ///
    /// When no attempt can be begun and nothing more can wait: then more comes in than goes out. While a push
    /// service fails, its pushes are not begun, and the least urgent of what waits gives way instead.
    pub fn admit(&self) -> Result<(), Overloaded> {
        let shared = &self.shared;
        let is_busy = shared.trying.load(Ordering::Relaxed) >= MOST_TRYING;
        if is_busy && shared.store.is_full() {
            return Err(Overloaded);
        }
        Ok(())
    }

    /// Sends pushes; what became of them is told by the job. Those that the same request brought before are not
    /// sent again.
    #[must_use]
    pub fn deliver(&self, order: Order<'_>, pushes: Vec<Push>) -> Arc<Job> {
        let shared = &self.shared;
        let Order { server, realm_id, origin, body } = order;
        let remembered = match pushes.len() {
            0 => None,
            count => shared.duplicates.find(server.id, origin, body, count),
        };
        let asked_at = shared.clock.now();
        let job = Arc::new(Job::new(server, realm_id, origin, asked_at, remembered, pushes.len()));
        if pushes.is_empty() {
            shared.finished(&job);
            return job;
        }
        let came = shared.clock.running();
        let began = Instant::now();
        let mut occurrences: HashMap<Row, u32> = HashMap::new();
        let mut parcels = Vec::with_capacity(pushes.len());
        for (index, push) in pushes.into_iter().enumerate() {
            let earlier = occurrences.entry(push.row).or_insert(0);
            let occurrence = *earlier;
            *earlier += 1;
            let mut parcel = Box::new(Parcel {
                occurrence,
                expires: came + shared.life_of(&push.message),
                job: Arc::clone(&job),
                index,
                push,
                id: shared.random.uuid(),
                number: shared.next_number.fetch_add(1, Ordering::Relaxed),
                attempts: 0,
                may_have_arrived: false,
                last: None,
                told: Vec::new(),
                came,
                began,
            });
            let id = match &job.remembered {
                None => Some(parcel.id),
                Some(known) => known.begin(parcel.key(), parcel.id),
            };
            match id {
                Some(id) => {
                    parcel.id = id;
                    parcels.push(parcel);
                }
                None => shared.is_repeated(&parcel),
            }
        }
        if !parcels.is_empty() {
            shared.undecided.fetch_add(parcels.len(), Ordering::Relaxed);
            let shared = Arc::clone(shared);
            // A task of its own: the caller may hang up, the notification is sent all the same.
            self.shared.tasks.spawn(async move {
                let mut attempts: FuturesUnordered<_> =
                    parcels.into_iter().map(|parcel| shared.begin(parcel)).collect();
                while attempts.next().await.is_some() {}
            });
        }
        job
    }
}

impl Shared {
    /// How long a push is tried: no longer than the push service would keep it.
    fn life_of(&self, message: &Message) -> Duration {
        let kept_for = match message {
            Message::Apns(message) => message.kept_for(),
            Message::Fcm(_) => None,
        };
        kept_for.map_or(self.retry_for, |kept_for| kept_for.min(self.retry_for))
    }
}
