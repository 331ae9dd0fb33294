//! The push services: what to say to them, and what their answers mean.

pub mod apns;
mod attempt;
mod clock_skew;
mod credential;
mod error;
pub mod fcm;
mod gate;
mod json_web_token;
mod outcome;
mod reload;
mod unknown_words;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::header;
use tokio::time::Instant;

use crate::{
    clock::{Clock, Timestamp},
    config::{Config, OutboundConfig},
    domain::device::{Provider, Target},
    metrics::{Metrics, ProviderLabels, PushErrorLabels, RetryCause, RetryLabels},
    outbound::{Reply, Trust, Way},
    random::Random,
};

pub use apns::ApnsMessage;
pub use attempt::{Attempt, Attempted};
pub use credential::Credential;
pub use error::ProvidersError;
pub use fcm::{FcmMessage, FcmMessageError, FcmReason};
pub use outcome::{Delay, Failure, Outcome, RejectionReason, Scope, Why};
pub use reload::Reloaded;
use unknown_words::UnknownWords;

/// Who asks for a longer pause than this is not believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// What every app is made with.
#[derive(Clone)]
struct Tools {
    outbound: OutboundConfig,
    way: Way,
    clock: Clock,
    random: Random,
    metrics: Arc<Metrics>,
    unknown_words: Arc<UnknownWords>,
}

impl Tools {
    /// The authorities of one app: its own file, or the one for all calls.
    fn trust(&self, own: Option<&Path>) -> Result<Trust, ProvidersError> {
        Ok(Trust::public(own.or(self.outbound.ca_file.as_deref()))?)
    }

    /// Counts what a push service answered, if it was a refusal.
    fn is_answered(&self, provider: Provider, outcome: &Outcome) {
        if let Some(reason) = outcome.reason() {
            self.metrics.push_errors.get_or_create(&PushErrorLabels { provider, reason }).inc();
        }
    }

    /// Counts that a push is sent again at once after it fared so: by another credential.
    fn is_repeated(&self, provider: Provider, outcome: &Outcome) {
        let cause = match outcome {
            Outcome::Delayed(delay) => delay.cause(),
            _ => RetryCause::Auth,
        };
        self.metrics.push_retries.get_or_create(&RetryLabels { provider, cause }).inc();
    }
}

/// One notification in the form one kind of phone gets it; shared by all its devices.
#[derive(Clone)]
pub enum Message {
    /// For Apple's phones.
    Apns(Arc<ApnsMessage>),
    /// For Android phones.
    Fcm(Arc<FcmMessage>),
}

impl Message {
    /// Whether the push service would refuse it for its size.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::Apns(message) => message.is_too_large(),
            Self::Fcm(message) => message.is_too_large(),
        }
    }
}

/// Both push services, with the operator's credentials.
pub struct Providers {
    apns: apns::Apns,
    fcm: fcm::Fcm,
    apps: Box<[AppName]>,
    /// Where Google's projects begin in `apps`.
    first_project: usize,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// Held while files are looked at.
    reloading: tokio::sync::Mutex<()>,
}

/// An app of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppName {
    /// The push service.
    pub provider: Provider,
    /// Its name in the configuration.
    pub name: Arc<str>,
}

/// The place of an app among [`Providers::apps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppKey(usize);

impl AppKey {
    /// The place as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

impl Providers {
    /// Reads all credentials; opens no connection yet.
    ///
    /// # Errors
    ///
    /// When a credential cannot be read or used.
    pub fn new(
        config: &Config,
        way: &Way,
        clock: &Clock,
        random: &Random,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ProvidersError> {
        let tools = Tools {
            outbound: config.outbound.clone(),
            way: way.clone(),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Arc::clone(metrics),
            unknown_words: Arc::default(),
        };
        let apns = apns::Apns::new(&config.apns, &tools)?;
        let fcm = fcm::Fcm::new(&config.fcm, &tools)?;
        let named = |provider| move |name: &str| AppName { provider, name: name.into() };
        let apple = apns.names().map(named(Provider::Apns));
        let apps: Box<[AppName]> = apple.chain(fcm.names().map(named(Provider::Fcm))).collect();
        let first_project = apns.names().count();
        if first_project > 0 {
            metrics.reasons_are_known(Provider::Apns, apns::ApnsReason::WORDS);
        }
        if fcm.names().next().is_some() {
            metrics.reasons_are_known(Provider::Fcm, FcmReason::WORDS);
        }
        Ok(Self {
            apns,
            fcm,
            apps,
            first_project,
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
            reloading: tokio::sync::Mutex::default(),
        })
    }

    /// What each app is known by to its push service, in the order of [`Providers::apps`].
    #[must_use]
    pub fn credentials(&self) -> Vec<Credential> {
        self.apns.credentials().chain(self.fcm.credentials()).collect()
    }

    /// All apps; an [`AppKey`] is a place in here.
    #[must_use]
    pub fn apps(&self) -> &[AppName] {
        &self.apps
    }

    /// Whether anything can be sent to this kind of phone.
    #[must_use]
    pub fn has(&self, provider: Provider) -> bool {
        self.apps.iter().any(|app| app.provider == provider)
    }

    /// The app that a device is reached by, as far as it is known; nothing when the operator has no credentials for it.
    #[must_use]
    pub fn app_of(&self, target: &Target) -> Option<AppKey> {
        self.apps_of(target).next()
    }

    /// The apps that may reach a device: one, or all Firebase projects while nobody knows which it is of.
    pub fn apps_of(&self, target: &Target) -> impl Iterator<Item = AppKey> + use<> {
        let places = match target.provider {
            Provider::Apns => self.apns.app_of(target).map_or(0..0, |place| place..place + 1),
            Provider::Fcm => {
                let projects = self.fcm.projects_of(target);
                self.first_project + projects.start..self.first_project + projects.end
            }
        };
        places.map(AppKey)
    }

    /// Sends one notification to one device.
    pub async fn attempt(&self, attempt: &Attempt<'_>) -> Attempted {
        let began = Instant::now();
        let at = self.clock.now();
        let provider = attempt.target.provider;
        let mut others = Vec::new();
        let (app, outcome) = match (attempt.app, attempt.message) {
            (Some(app), Message::Apns(message)) => {
                (Some(app), self.apns.send(app.0, attempt, message).await)
            }
            (Some(app), Message::Fcm(message)) => {
                let first = app.0 - self.first_project;
                let (project, outcome, said) = self.fcm.send(first, attempt, message).await;
                let key = |project| AppKey(self.first_project + project);
                others = said.into_iter().map(|(project, said)| (key(project), said)).collect();
                (Some(key(project)), outcome)
            }
            (None, _) => (None, Outcome::NotConfigured),
        };
        self.metrics
            .provider_request_duration
            .get_or_create(&ProviderLabels { provider })
            .observe(began.elapsed().as_secs_f64());
        // Nobody was asked.
        if attempt.message.is_too_large()
            && let Some(reason) = outcome.reason()
        {
            self.metrics.push_errors.get_or_create(&PushErrorLabels { provider, reason }).inc();
        }
        Attempted { outcome, at, app, others }
    }
}

/// The pause that a push service asks for: seconds, or a date.
fn retry_after(reply: &Reply, now: Timestamp) -> Option<Duration> {
    let text = reply.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
            let millis = i64::try_from(date.as_millis()).ok()?;
            Timestamp::from_unix_millis(millis).since(now)
        }
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}
