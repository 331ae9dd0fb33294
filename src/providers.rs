//! The push services: what to say to them, and what their answers mean.

pub mod apns;
pub mod fcm;
mod json_web_token;
mod outcome;

use std::{path::Path, sync::Arc};

use tokio::time::Instant;

use crate::{
    clock::{Clock, Timestamp},
    config::Config,
    domain::device::{Provider, Target},
    metrics::{Metrics, ProviderLabels, PushErrorLabels, PushLabels},
    outbound::{OriginError, Trust, TrustError},
    random::Random,
};

pub use apns::ApnsMessage;
pub use fcm::{FcmMessage, FcmMessageError};
pub use outcome::{Failure, Outcome, RejectionReason};

/// Why the push services cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A credential is not what it should be.
    #[error("`{path}`: {problem}")]
    Credential {
        /// The file.
        path: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Authorities or a client certificate cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// An address of a push service is none.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

impl ProvidersError {
    fn credential(path: &Path, problem: &str) -> Self {
        Self::Credential { path: path.display().to_string(), problem: problem.to_owned() }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ProvidersError> {
    std::fs::read(path)
        .map_err(|source| ProvidersError::Read { path: path.display().to_string(), source })
}

/// The authorities of one app: its own file, or the one for all calls.
fn trust(own: Option<&Path>, general: Option<&Path>) -> Result<Trust, ProvidersError> {
    Ok(Trust::public(own.or(general))?)
}

/// One notification in the form one kind of phone gets it; shared by all its devices.
#[derive(Clone)]
pub enum Message {
    /// For Apple's phones.
    Apns(Arc<ApnsMessage>),
    /// For Android phones.
    Fcm(Arc<FcmMessage>),
}

/// Both push services, with the operator's credentials.
pub struct Providers {
    apns: apns::Apns,
    fcm: Option<fcm::Fcm>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Providers {
    /// Reads all credentials; opens no connection yet.
    ///
    /// # Errors
    ///
    /// When a credential cannot be read or used.
    pub fn new(
        config: &Config,
        clock: &Clock,
        random: &Random,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ProvidersError> {
        let general = config.outbound.ca_file.as_deref();
        let fcm = match config.fcm.first_key_value() {
            Some((name, app)) => Some(fcm::Fcm::new(name, app, general, clock, metrics)?),
            None => None,
        };
        Ok(Self {
            apns: apns::Apns::new(&config.apns, general, clock, random, metrics)?,
            fcm,
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
        })
    }

    /// Whether anything can be sent to this kind of phone.
    #[must_use]
    pub fn has(&self, provider: Provider) -> bool {
        match provider {
            Provider::Apns => self.apns.has_apps(),
            Provider::Fcm => self.fcm.is_some(),
        }
    }

    /// Sends one notification to one device, and counts what became of it.
    pub async fn send(&self, target: &Target, message: &Message) -> Sent {
        let began = Instant::now();
        let at = self.clock.now();
        let (app, outcome) = match message {
            Message::Apns(message) => self.apns.send(target, message).await,
            Message::Fcm(message) => match &self.fcm {
                Some(fcm) => (Some(fcm.name()), fcm.send(target, message).await),
                None => (None, Outcome::Failed(Failure::NotConfigured)),
            },
        };
        let provider = target.provider;
        self.metrics
            .push_duration
            .get_or_create(&ProviderLabels { provider })
            .observe(began.elapsed().as_secs_f64());
        let labels = PushLabels {
            provider,
            app: app.unwrap_or("none").to_owned(),
            outcome: outcome.label(),
        };
        self.metrics.pushes.get_or_create(&labels).inc();
        if let Some(reason) = outcome.reason() {
            self.metrics.push_errors.get_or_create(&PushErrorLabels { provider, reason }).inc();
        }
        Sent { outcome, at }
    }
}

/// What became of one push, and when it was sent.
pub struct Sent {
    /// What became of it.
    pub outcome: Outcome,
    /// When it was sent.
    pub at: Timestamp,
}
