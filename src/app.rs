//! The parts of one running bouncer, built once.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    analytics::Analytics,
    brake::Brake,
    clock::Clock,
    config::{Config, ProxyConfigError},
    delivery::{Delivery, DeliveryTools},
    dispatch::Dispatcher,
    domain::address::AddressKey,
    entitlement::EntitlementPolicy,
    links::Links,
    metrics::Metrics,
    names::{Names, NamesError},
    outbound::{TrustError, Way},
    providers::{Providers, ProvidersError},
    push_registration::{KeysUnusable, PushRegistrations, RegistrationKeys},
    random::Random,
    rate_limit::{AddressLimiter, FailureLimiter, ServerLimiter},
    registration::Registrations,
    registry::{Desk, OpenError, Registry},
    retention::Retention,
    secret_key::{SecretKey, SecretKeyError},
    shared_state::{SharedState, SharedStateError},
    shares::{Memory, Shares},
    transfer::{TransferTools, Transfers},
};

/// Memory for large bodies, in kibibytes: 64 of the largest usual kind at once.
const LARGE_BODIES_KIBIBYTES: usize = 128 * 1024;

/// Memory for uploads of statistics, in kibibytes: five of the largest kind at once.
const UPLOADS_KIBIBYTES: usize = 256 * 1024;

/// A form is there as it came and as it was decoded.
const COPIES_OF_BODY: usize = 2;

/// A chat server makes one upload at a time.
const UPLOADS_PER_SERVER: usize = 1;

/// Look-ups at once for addresses that failed too often.
const SUSPECT_LOOKUPS: usize = 4;

/// Forms at once that are read for one address before authentication; more are judged unread.
const STRANGER_FORMS: usize = 16;

/// How often limits forget those who were idle.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The parts of one running bouncer.
pub struct App {
    /// The settings it was built from.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The instruments.
    pub metrics: Arc<Metrics>,
    /// What the bouncer makes its own keys of.
    pub secret_key: SecretKey,
    /// Everything remembered.
    pub registry: Registry,
    /// What nodes share besides, where they do.
    pub shared_state: Option<SharedState>,
    /// Deletes old rows.
    pub retention: Retention,
    /// Both push services.
    pub providers: Arc<Providers>,
    /// Removes devices that are gone.
    pub brake: Brake,
    /// Sends notifications.
    pub dispatcher: Dispatcher,
    /// Sends their pushes until they are decided.
    pub delivery: Delivery,
    /// May a server or realm push?
    pub entitlement: EntitlementPolicy,
    /// The desk where servers register.
    pub registrations: Registrations,
    /// The desk where registrations are transferred.
    pub transfers: Transfers,
    /// Links to pages.
    pub links: Links,
    /// Opens the sealed registrations of devices.
    pub push_registrations: PushRegistrations,
    /// Takes uploads.
    pub analytics: Analytics,
    /// The limit of authenticated servers.
    pub server_limiter: ServerLimiter,
    /// The limit of unauthenticated requests.
    pub address_limiter: AddressLimiter,
    /// The limit of failed authentication.
    pub failure_limiter: FailureLimiter,
    /// Places for requests that are being worked on.
    pub in_flight: Arc<Semaphore>,
    /// The requests that are being worked on, also those whose callers have hung up.
    pub requests: TaskTracker,
    /// The bouncer was asked to stop.
    pub stopping: CancellationToken,
    /// Places for look-ups of addresses that failed too often.
    pub suspect_lookups: Semaphore,
    /// Forms of strangers that are read before anybody knows who they are.
    pub stranger_forms: Arc<Shares<AddressKey>>,
    /// Uploads of statistics that are under way, by our key of the server.
    pub uploads: Arc<Shares<i64>>,
    /// For uploads, by our key of the server; who finds none waits.
    pub upload_memory: Arc<Memory<i64>>,
    /// For other large bodies.
    pub body_memory: Arc<Memory<i64>>,
}

/// Why a bouncer cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no secret.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
    /// The database cannot be used.
    #[error(transparent)]
    Registry(#[from] OpenError),
    /// It is not known which Redis there is.
    #[error(transparent)]
    SharedState(#[from] SharedStateError),
    /// The push services cannot be used.
    #[error(transparent)]
    Providers(#[from] ProvidersError),
    /// No name server can be asked.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// It is not known which proxy there is.
    #[error(transparent)]
    Proxy(#[from] ProxyConfigError),
    /// The authorities of `outbound.ca_file` cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// The memory that a body of so many bytes takes until its request has been worked on, in kibibytes.
#[must_use]
pub fn memory_of_body(bytes: usize) -> usize {
    bytes.div_ceil(1024).saturating_mul(COPIES_OF_BODY)
}

impl App {
    /// Opens the database and reads all credentials.
    ///
    /// # Errors
    ///
    /// When one of the parts cannot be used.
    pub async fn build(config: Config, clock: Clock) -> Result<Self, BuildError> {
        let secret_key = SecretKey::read(&config.secret_key_file)?;
        let metrics = Arc::new(Metrics::default());
        let names = Names::new(&config.dns.servers)?;
        let way = Way::new(names.clone(), Random::default(), &config.proxy)?;
        let providers = Providers::new(&config, &way, &clock, &Random::default(), &metrics)?;
        let registry =
            Registry::open(&config.database, clock.clone(), Arc::clone(&metrics)).await?;
        let shared_state =
            SharedState::new(&config.redis, Random::default(), Arc::clone(&metrics))?;
        if let Some(shared_state) = &shared_state {
            shared_state.connect().await;
        }
        let brake = Brake::new(
            &config,
            providers.apps(),
            registry.clone(),
            shared_state.clone(),
            clock.clone(),
            Arc::clone(&metrics),
        );
        // Who is told of devices that are gone depends on it.
        brake.look().await;
        let keys = RegistrationKeys::new(registry.clone(), &secret_key, Random::default());
        // All else works without.
        match keys.check().await {
            Ok(()) => {}
            Err(KeysUnusable::Sealed(error)) => {
                tracing::error!(event = "registration_key.sealed", %error, "phones cannot register sealed");
            }
            Err(KeysUnusable::Unread(error)) => {
                tracing::error!(event = "registration_key.unread", %error, "the registration keys could not be checked");
            }
        }
        let entitlement = EntitlementPolicy::new(&config.entitlement, clock.clone());
        let desk = Desk::default();
        let tools = TransferTools {
            registry: registry.clone(),
            desk: desk.clone(),
            names: names.clone(),
            clock: clock.clone(),
            random: Random::default(),
            metrics: Arc::clone(&metrics),
        };
        let transfers = Transfers::new(&config, &secret_key, tools)?;
        let providers = Arc::new(providers);
        let tools = DeliveryTools {
            providers: Arc::clone(&providers),
            registry: registry.clone(),
            brake: brake.clone(),
            shared_state: shared_state.clone(),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
        };
        let delivery = Delivery::new(tools, &config.push, &secret_key);
        Ok(Self {
            transfers,
            delivery: delivery.clone(),
            dispatcher: Dispatcher::new(
                registry.clone(),
                Arc::clone(&providers),
                delivery.clone(),
                brake.clone(),
                Arc::clone(&metrics),
                clock.clone(),
                config.push.answer_within,
            ),
            registrations: Registrations::new(
                registry.clone(),
                names,
                config.registration.clone(),
                clock.clone(),
                Arc::clone(&metrics),
                desk,
            ),
            retention: Retention::new(
                registry.clone(),
                config.retention.clone(),
                clock.clone(),
                Random::default(),
                Arc::clone(&metrics),
            ),
            links: Links::new(&config.public_url, &secret_key, clock.clone(), Random::default()),
            push_registrations: PushRegistrations::new(keys, clock.clone()),
            analytics: Analytics::new(registry.clone(), entitlement.clone()),
            server_limiter: ServerLimiter::new(
                clock.clone(),
                config.limits.server.rate,
                config.limits.server.max_delay,
                shared_state.clone(),
            ),
            address_limiter: AddressLimiter::new(config.limits.ip.rate),
            failure_limiter: FailureLimiter::new(config.limits.login.rate),
            in_flight: Arc::new(Semaphore::new(config.http.max_in_flight)),
            requests: TaskTracker::new(),
            stopping: CancellationToken::new(),
            suspect_lookups: Semaphore::new(SUSPECT_LOOKUPS),
            stranger_forms: Shares::new(STRANGER_FORMS),
            uploads: Shares::new(UPLOADS_PER_SERVER),
            upload_memory: Memory::new(
                UPLOADS_KIBIBYTES,
                memory_of_body(config.http.max_upload_bytes),
            ),
            body_memory: Memory::new(
                LARGE_BODIES_KIBIBYTES,
                memory_of_body(config.http.max_body_bytes),
            ),
            brake,
            config,
            secret_key,
            clock,
            metrics,
            providers,
            registry,
            shared_state,
            entitlement,
        })
    }

    /// Does what is due from time to time, until the bouncer stops.
    pub async fn keep_tidy(&self) {
        let sweep = async {
            let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
            loop {
                ticks.tick().await;
                self.server_limiter.sweep();
                self.address_limiter.sweep();
                self.failure_limiter.sweep();
                self.transfers.sweep();
            }
        };
        // None of these is cut off.
        let until_the_end = async {
            tokio::join!(
                self.registry.keep_flushing(&self.stopping),
                Box::pin(self.registry.keep_listening(&self.stopping)),
                Box::pin(self.brake.keep_watching(&self.stopping)),
                Box::pin(self.retention.keep_deleting(&self.stopping)),
            )
        };
        tokio::select! {
            _ = until_the_end => {}
            () = sweep => {}
            () = self.providers.keep_fresh() => {}
        }
    }
}
