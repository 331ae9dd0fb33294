//! Registering a server, and changing what is registered of it.

mod administrator;

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

pub use administrator::EmailRefusal;

use crate::{
    clock::Clock,
    config::{RegistrationConfig, RegistrationMode},
    domain::{
        host_pattern::HostPattern,
        hostname::{Hostname, HostnameError},
        remote_server::{KeyHash, PreviousKey, RemoteServer},
        uuid_text,
    },
    metrics::{Metrics, RegistrationLabels, RegistrationResult},
    names::Names,
    registry::{Desk, NewRemoteServer, Registry, RegistryError, ServerUpdate},
};

/// The previous key is accepted until the new one is first used, but no longer than this: the client
/// uploads its realms with the old key before it stores the new one.
const PREVIOUS_KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a server says when it registers. It does not print itself: it holds keys.
pub struct Application {
    /// `zulip_org_id`.
    pub id: String,
    /// `zulip_org_key`.
    pub key: String,
    /// `hostname`.
    pub hostname: String,
    /// `contact_email`.
    pub contact_email: String,
    /// `new_org_key`, when the key is to be replaced.
    pub new_key: Option<String>,
}

/// What became of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// A new server.
    Created,
    /// A known one.
    Updated,
}

/// Why a server was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The host name has a path, a query or a fragment.
    #[error("host name with more than a host")]
    HostnameComponents(String),
    /// The host name is none.
    #[error("not a host name")]
    Hostname(String),
    /// The e-mail address cannot be the administrator's.
    #[error(transparent)]
    Email(#[from] EmailRefusal),
    /// The id is no canonical random UUID.
    #[error("not a canonical random UUID")]
    Id,
    /// The id is known, and the key is not its key.
    #[error("wrong key")]
    WrongKey(Uuid),
    /// The id is known, and was deactivated.
    #[error("deactivated")]
    Deactivated,
    /// Another active server has the host name.
    #[error("host name in use")]
    HostnameInUse(String),
    /// This bouncer takes no new servers.
    #[error("no new servers are taken")]
    Closed,
    /// The operator does not take servers of this host name.
    #[error("host name not allowed")]
    HostnameNotAllowed(String),
    /// Too many register at once.
    #[error("too many at once")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// The desk where servers register.
pub struct Registrations {
    registry: Registry,
    names: Names,
    config: RegistrationConfig,
    clock: Clock,
    metrics: Arc<Metrics>,
    desk: Desk,
}

impl Registrations {
    /// A desk with these rules.
    #[must_use]
    pub fn new(
        registry: Registry,
        names: Names,
        config: RegistrationConfig,
        clock: Clock,
        metrics: Arc<Metrics>,
        desk: Desk,
    ) -> Self {
        Self { registry, names, config, clock, metrics, desk }
    }

    /// Registers a new server, or changes a known one.
    ///
    /// # Errors
    ///
    /// When something about the application is wrong, checked in the protocol's order.
    pub async fn register(
        &self,
        application: &Application,
    ) -> Result<Registered, RegistrationError> {
        let registered = self.try_register(application).await;
        let result = match &registered {
            Ok(Registered::Created) => RegistrationResult::Created,
            Ok(Registered::Updated) if application.new_key.is_some() => RegistrationResult::Rotated,
            Ok(Registered::Updated) => RegistrationResult::Updated,
            Err(_) => RegistrationResult::Rejected,
        };
        self.metrics.registrations.get_or_create(&RegistrationLabels { result }).inc();
        registered
    }

    async fn try_register(
        &self,
        application: &Application,
    ) -> Result<Registered, RegistrationError> {
        let hostname = parse_hostname(&application.hostname)?;
        administrator::check(&application.contact_email, self.config.email_check, &self.names)
            .await?;
        if !uuid_text::is_canonical_v4(&application.id) {
            return Err(RegistrationError::Id);
        }
        let uuid = uuid_text::parse(&application.id).ok_or(RegistrationError::Id)?;
        let _turn = self.desk.turn().await.ok_or(RegistrationError::Busy)?;
        let known = match self.registry.find_server_now(uuid).await? {
            Some(known) => known,
            None => match self.create(uuid, &hostname, application).await {
                // Another node stored the same id between the question and the answer.
                Err(RegistrationError::Registry(error)) if error.is_conflict() => self
                    .registry
                    .find_server_now(uuid)
                    .await?
                    .ok_or(RegistrationError::Registry(error))?,
                other => return other,
            },
        };
        self.update(&known, &hostname, application).await
    }

    async fn create(
        &self,
        uuid: Uuid,
        hostname: &Hostname,
        application: &Application,
    ) -> Result<Registered, RegistrationError> {
        if self.config.mode == RegistrationMode::Closed {
            return Err(RegistrationError::Closed);
        }
        self.check_hostname_is_allowed(hostname)?;
        self.check_hostname_is_free(hostname, uuid).await?;
        let new = NewRemoteServer {
            uuid,
            key: KeyHash::of(&application.key),
            hostname: hostname.as_str(),
            contact_email: &application.contact_email,
            approved: self.config.mode != RegistrationMode::Approval,
        };
        self.registry.add_server(new).await?;
        tracing::info!(event = "server.registered", server = %uuid, hostname = hostname.as_str(), "a server registered");
        if self.config.mode == RegistrationMode::Approval {
            tracing::warn!(event = "server.waiting", server = %uuid, hostname = hostname.as_str(), "a server waits for approval; to let it push: `push-bouncer server approve {hostname}`");
        }
        Ok(Registered::Created)
    }

    async fn update(
        &self,
        known: &RemoteServer,
        hostname: &Hostname,
        application: &Application,
    ) -> Result<Registered, RegistrationError> {
        let key = KeyHash::of(&application.key);
        let now = self.clock.now();
        if known.matches(&key, now).is_none() {
            return Err(RegistrationError::WrongKey(known.uuid));
        }
        if known.deactivated {
            return Err(RegistrationError::Deactivated);
        }
        if hostname.as_str() != known.hostname {
            self.check_hostname_is_allowed(hostname)?;
            self.check_hostname_is_free(hostname, known.uuid).await?;
        }
        // The key that was shown stays valid for a while, also when it was itself the previous one: then
        // the client never stored the one in between, and rotates once more.
        let rotation =
            application.new_key.as_deref().map(KeyHash::of).filter(|new| *new != known.key);
        let rotation =
            rotation.map(|new| (new, PreviousKey { hash: key, until: now + PREVIOUS_KEY_LIFE }));
        let is_rotation = rotation.is_some();
        let update = ServerUpdate {
            hostname: hostname.as_str(),
            contact_email: &application.contact_email,
            rotation,
        };
        if !self.registry.update_server(known, update).await? {
            // Another node gave the server a key of its own in between.
            return Err(RegistrationError::Busy);
        }
        if is_rotation {
            tracing::info!(event = "server.key_rotated", server = %known.uuid, "a server has a new key");
        }
        Ok(Registered::Updated)
    }

    async fn check_hostname_is_free(
        &self,
        hostname: &Hostname,
        uuid: Uuid,
    ) -> Result<(), RegistrationError> {
        if self.registry.is_hostname_taken(hostname.as_str(), uuid).await? {
            return Err(RegistrationError::HostnameInUse(hostname.as_str().to_owned()));
        }
        Ok(())
    }

    fn check_hostname_is_allowed(&self, hostname: &Hostname) -> Result<(), RegistrationError> {
        let RegistrationConfig { mode, allow_hosts, deny_hosts, .. } = &self.config;
        let is_listed = |hosts: &[HostPattern]| hosts.iter().any(|host| host.matches(hostname));
        let is_allowed = *mode != RegistrationMode::Allowlist || is_listed(allow_hosts);
        if is_listed(deny_hosts) || !is_allowed {
            return Err(RegistrationError::HostnameNotAllowed(hostname.as_str().to_owned()));
        }
        Ok(())
    }
}

/// The host name in a request.
///
/// # Errors
///
/// When it is none, with the text as it was given.
pub fn parse_hostname(text: &str) -> Result<Hostname, RegistrationError> {
    Hostname::parse(text).map_err(|error| match error {
        HostnameError::InvalidComponents => RegistrationError::HostnameComponents(text.to_owned()),
        HostnameError::Invalid => RegistrationError::Hostname(text.to_owned()),
    })
}
