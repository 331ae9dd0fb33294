//! Moving a server's registration to a new installation, which proves that it holds the host name.
//!
//! Two requests of the new installation: it gets a secret, shows it under its host name, and asks us to look
//! there. Who can answer under the host name gets the registration and a new key; the old key is dead.

mod challenge;
mod secret;

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use uuid::Uuid;

use challenge::Challenges;
pub use challenge::{AccessToken, ChallengeError};
pub use secret::SecretError;
use secret::Secrets;

use crate::{
    clock::Clock,
    config::Config,
    domain::{
        address::AddressKey,
        hostname::Hostname,
        remote_server::{KeyHash, RemoteServer},
    },
    metrics::{
        Metrics, RateLimitDecision, RateLimitLabels, RateLimitName, RegistrationLabels,
        RegistrationResult,
    },
    names::Names,
    outbound::{Permission, Strangers, TrustError},
    random::Random,
    rate_limit::{AddressLimiter, TotalLimiter},
    registry::{Desk, Registry, RegistryError},
    secret_key::{Purpose, SecretKey},
};

/// Hosts that are called at once; who finds no place shall come again.
const MAX_CALLS: usize = 8;

/// A `zulip_org_key` has so many letters.
const KEY_LENGTH: usize = 64;

/// A registration in new hands. It does not print itself: it holds a key.
pub struct Transferred {
    /// `zulip_org_id`: the one the server had.
    pub id: Uuid,
    /// `zulip_org_key`: a new one.
    pub key: String,
}

/// Why a registration was not transferred.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Too many were asked for from this address: how long until the next is allowed.
    #[error("too many from one address")]
    AddressLimit(Duration),
    /// Too many were asked for in all; where people find help.
    #[error("too many in all")]
    TotalLimit(Option<String>),
    /// As many hosts as allowed are being called, or registrations are being changed.
    #[error("too many at once")]
    Busy,
    /// No active server has the host name.
    #[error("no such registration")]
    NotRegistered,
    /// The host did not show a secret.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// The secret does not prove anything.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The database failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// The desk where registrations are transferred.
pub struct Transfers {
    registry: Registry,
    desk: Desk,
    random: Random,
    metrics: Arc<Metrics>,
    secrets: Secrets,
    challenges: Challenges,
    places: Semaphore,
    address_limiter: AddressLimiter,
    total_limiter: TotalLimiter,
    contact: Option<String>,
}

/// What a desk for transfers needs of the others.
pub struct TransferTools {
    /// Where registrations are.
    pub registry: Registry,
    /// The desk where registrations are changed.
    pub desk: Desk,
    /// Name servers.
    pub names: Names,
    /// The time.
    pub clock: Clock,
    /// The source of new keys.
    pub random: Random,
    /// The instruments.
    pub metrics: Arc<Metrics>,
}

impl Transfers {
    /// A desk with these settings.
    ///
    /// # Errors
    ///
    /// When `outbound.ca_file` cannot be used.
    pub fn new(
        config: &Config,
        secret_key: &SecretKey,
        tools: TransferTools,
    ) -> Result<Self, TrustError> {
        let TransferTools { registry, desk, names, clock, random, metrics } = tools;
        let outbound = &config.outbound;
        let permission = Permission::new(outbound.permitted_networks.clone());
        let strangers = Strangers::new(outbound.ca_file.as_deref(), permission)?;
        Ok(Self {
            registry,
            desk,
            random,
            metrics,
            secrets: Secrets::new(secret_key.signing(Purpose::Transfer), clock.clone()),
            challenges: Challenges::new(names, strangers),
            places: Semaphore::new(MAX_CALLS),
            address_limiter: AddressLimiter::new(config.limits.transfer.rate),
            total_limiter: TotalLimiter::new(clock, config.registration.transfer_limit),
            contact: config.operator.contact.clone(),
        })
    }

    /// The secret that whoever wants the registration of `hostname` must show there within ten seconds;
    /// `None` when no active server has that name.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn offer(&self, hostname: &Hostname) -> Result<Option<String>, RegistryError> {
        let found = self.registry.find_active_server(hostname.as_str()).await?;
        Ok(found.map(|server| self.secrets.issue(hostname, server.transfers)))
    }

    /// Calls the host, and hands the registration over if it shows a secret of ours. What is no host name is
    /// none that is registered.
    ///
    /// # Errors
    ///
    /// When a limit is reached, the host does not show a valid secret, or the database fails; nothing
    /// is changed then.
    pub async fn verify(
        &self,
        caller: AddressKey,
        hostname: Option<&Hostname>,
        token: &AccessToken,
    ) -> Result<Transferred, TransferError> {
        // First of all, so that one address can neither use up the calls nor the limit of all.
        self.limited(self.address_limiter.check(caller).map_err(TransferError::AddressLimit))?;
        let _place = self.places.try_acquire().map_err(|_| TransferError::Busy)?;
        let has_room = self.total_limiter.check();
        let total =
            has_room.then_some(()).ok_or_else(|| TransferError::TotalLimit(self.contact.clone()));
        self.limited(total)?;
        let labels = RateLimitLabels {
            limit: RateLimitName::Transfer,
            decision: RateLimitDecision::Allowed,
        };
        self.metrics.rate_limit_decisions.get_or_create(&labels).inc();
        let transferred = self.transfer(hostname, token).await;
        let result = match transferred {
            Ok(_) => RegistrationResult::Transferred,
            Err(_) => RegistrationResult::Rejected,
        };
        self.metrics.registrations.get_or_create(&RegistrationLabels { result }).inc();
        transferred
    }

    /// Forgets addresses whose limit is whole again.
    pub fn sweep(&self) {
        self.address_limiter.sweep();
    }

    async fn transfer(
        &self,
        hostname: Option<&Hostname>,
        token: &AccessToken,
    ) -> Result<Transferred, TransferError> {
        let hostname = hostname.ok_or(TransferError::NotRegistered)?;
        let server = self.find(hostname).await?;
        let proven = match self.challenges.fetch(hostname, token).await {
            Ok(secret) => self.secrets.redeem(&secret, hostname).map_err(TransferError::from),
            Err(error) => Err(error.into()),
        };
        let refused = |error: TransferError| {
            tracing::info!(event = "transfer.refused", server = %server.uuid, %error, "a registration was not transferred");
            error
        };
        let proof = proven.map_err(refused)?;
        // A rotation or another transfer may have come while the host was called.
        let _turn = self.desk.turn().await.ok_or(TransferError::Busy)?;
        let server = self.find(hostname).await?;
        if !self.secrets.holds(&proof, server.transfers) {
            return Err(refused(SecretError::Invalid.into()));
        }
        let key = self.random.letters(KEY_LENGTH);
        if !self.registry.transfer_server(&server, &KeyHash::of(&key)).await? {
            return Err(TransferError::Busy);
        }
        tracing::info!(event = "server.transferred", server = %server.uuid, hostname = hostname.as_str(), "a registration was transferred");
        Ok(Transferred { id: server.uuid, key })
    }

    async fn find(&self, hostname: &Hostname) -> Result<RemoteServer, TransferError> {
        let found = self.registry.find_active_server(hostname.as_str()).await?;
        found.ok_or(TransferError::NotRegistered)
    }

    /// Counts a limit's refusal.
    fn limited(&self, checked: Result<(), TransferError>) -> Result<(), TransferError> {
        if checked.is_err() {
            let labels = RateLimitLabels {
                limit: RateLimitName::Transfer,
                decision: RateLimitDecision::Rejected,
            };
            self.metrics.rate_limit_decisions.get_or_create(&labels).inc();
        }
        checked
    }
}
