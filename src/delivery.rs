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
mod elsewhere;
mod ending;
mod first_attempt;
mod job;
mod lesson;
mod outcome;
mod panic;
mod parcel;
mod places;
mod removal;
mod sampled;
mod store;
mod worker;

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use breakers::Breakers;
use duplicates::{Beginning, Claim, Duplicates};
use parcel::Parcel;
use places::Places;
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
    shared_state::SharedState,
};

pub use job::{Fate, Job};

/// First attempts under way at once, for all apps; what comes on top waits in the store, where it needs less memory,
/// and the remote servers have their turns.
const FIRST_ATTEMPTS: usize = 1536;

/// Further attempts under way at once.
const FURTHER_ATTEMPTS: usize = 1024;

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
    /// Where nodes tell each other what they have sent, if they do.
    pub shared_state: Option<SharedState>,
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
    first_places: Places,
    further_places: Places,
    /// Pushes that came in and have no final outcome yet, wherever they are.
    undecided: AtomicUsize,
    /// There are none of these any more.
    all_are_decided: Notify,
    /// The number of the next parcel.
    next_number: AtomicU64,
    is_ending: AtomicBool,
    /// The time is over: what is under way is waited for no longer.
    cut: CancellationToken,
    log: Sampled,
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
        let DeliveryTools { providers, registry, brake, shared_state, metrics, clock } = tools;
        let duplicates = Duplicates::new(
            secret_key.signing(Purpose::Duplicates),
            config.duplicate_window,
            config.duplicate_entries,
            clock.clone(),
            Arc::clone(&metrics),
            shared_state,
        );
        let limits = Limits { bytes: config.retry_bytes, parcels: config.retry_devices };
        let apps = providers.apps().len();
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
                first_places: Places::new(FIRST_ATTEMPTS, apps),
                further_places: Places::new(FURTHER_ATTEMPTS, apps),
                undecided: AtomicUsize::new(0),
                all_are_decided: Notify::new(),
                next_number: AtomicU64::new(0),
                is_ending: AtomicBool::new(false),
                cut: CancellationToken::new(),
                log: Sampled::default(),
            }),
        }
    }

    /// Whether another notification may come in; to be asked before any work is done for it.
    ///
    /// # Errors
    ///
    /// When no attempt can be begun for any app and nothing more can wait: then more comes in than goes out. While
    /// only some push services fail or are slow, the least urgent of what waits gives way instead.
    pub fn admit(&self) -> Result<(), Overloaded> {
        let shared = &self.shared;
        if shared.first_places.are_all_taken() && shared.store.is_full() {
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
        let mut claims = Vec::new();
        for (index, push) in pushes.into_iter().enumerate() {
            let earlier = occurrences.entry(push.row).or_insert(0);
            let occurrence = *earlier;
            *earlier += 1;
            let mut parcel = Box::new(Parcel {
                app: shared.providers.app_of(&push.target),
                occurrence,
                expires: came + shared.life_of(&push.message),
                job: Arc::clone(&job),
                index,
                push,
                id: shared.random.uuid(),
                number: shared.next_number.fetch_add(1, Ordering::Relaxed),
                attempts: 0,
                may_have_arrived: None,
                last: None,
                told: Vec::new(),
                came,
                began,
            });
            if let Some(found) = &job.remembered {
                let Some(beginning) = found.devices.begin(parcel.key(), parcel.id) else {
                    shared.is_repeated(&parcel);
                    continue;
                };
                let Beginning { id, may_have_arrived, .. } = beginning;
                (parcel.id, parcel.may_have_arrived) = (id, may_have_arrived);
                if shared.duplicates.are_shared() {
                    claims.push(Claim { key: parcel.key(), beginning, number: parcel.number });
                }
            }
            parcels.push(parcel);
        }
        if !parcels.is_empty() {
            shared.undecided.fetch_add(parcels.len(), Ordering::Relaxed);
            let (shared, sent) = (Arc::clone(shared), Arc::clone(&job));
            // A task of its own: the caller may hang up, the notification is sent all the same.
            tokio::spawn(async move {
                let parcels = match &sent.remembered {
                    // Boxed, it takes no room in what sends after it.
                    Some(found) if !claims.is_empty() => {
                        Box::pin(shared.not_elsewhere(parcels, found, claims)).await
                    }
                    _ => parcels,
                };
                shared.begin_all(parcels).await;
            });
        }
        job
    }
}

impl Shared {
    /// Makes the first attempts of parcels, all at once.
    #[expect(clippy::vec_box, reason = "a parcel is boxed for its whole life")]
    async fn begin_all(self: Arc<Self>, parcels: Vec<Box<Parcel>>) {
        let mut attempts: FuturesUnordered<_> =
            parcels.into_iter().map(|parcel| self.begin(parcel)).collect();
        // One that panics at its very end keeps none of the others from theirs.
        while !matches!(AssertUnwindSafe(attempts.next()).catch_unwind().await, Ok(None)) {}
    }

    /// How long a push is tried: no longer than the push service would keep it.
    fn life_of(&self, message: &Message) -> Duration {
        let kept_for = match message {
            Message::Apns(message) => message.kept_for(),
            Message::Fcm(_) => None,
        };
        kept_for.map_or(self.retry_for, |kept_for| kept_for.min(self.retry_for))
    }
}
