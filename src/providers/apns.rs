//! Apple Push Notification service.
//!
//! Requests: <https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns>,
//! answers: <https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns>.

mod answer;
mod app;
mod authentication_token;
mod generation;
mod headers;
mod lesson;
mod message;
mod rejection;
mod reload;
mod token_key;
mod token_schedule;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use app::App;
pub use message::{ApnsMessage, MAX_PAYLOAD_BYTES};
pub use rejection::ApnsReason;

use super::{
    Attempt, Credential, Outcome, ProvidersError, RejectionReason, Tools, clock_skew::ClockSkew,
};
use crate::{
    config::ApnsAppConfig,
    domain::device::{AppId, Provider, Target},
};

/// All apps of the operator on Apple's phones.
pub(super) struct Apns {
    apps: Vec<App>,
    by_topic: HashMap<AppId, usize>,
}

impl Apns {
    pub(super) fn new(
        config: &BTreeMap<String, ApnsAppConfig>,
        tools: &Tools,
    ) -> Result<Self, ProvidersError> {
        let skew = Arc::new(ClockSkew::new(Provider::Apns, &tools.clock, &tools.metrics));
        let mut apns = Self { apps: Vec::with_capacity(config.len()), by_topic: HashMap::new() };
        for (name, app) in config {
            for topic in app.topics.iter().filter_map(|topic| AppId::parse(topic)) {
                apns.by_topic.insert(topic, apns.apps.len());
            }
            let app = App::new(name, app, tools, &skew, &apns.tokens())?;
            apns.apps.push(app);
        }
        apns.warn_of_two_keys();
        Ok(apns)
    }

    /// What the apps are known by.
    pub(super) fn credentials(&self) -> impl Iterator<Item = Credential> {
        self.apps.iter().map(App::credential)
    }

    /// Makes new tokens for those that ended while nothing was sent.
    pub(super) fn renew_if_ended(&self) {
        for app in &self.apps {
            app.renew_if_ended();
        }
    }

    /// The names of all apps, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.apps.iter().map(App::name)
    }

    /// The app that a device is an installation of, by its place.
    pub(super) fn app_of(&self, target: &Target) -> Option<usize> {
        self.by_topic.get(target.app_id.as_ref()?).copied()
    }

    /// Sends to one device of the app in this place.
    pub(super) async fn send(
        &self,
        app: usize,
        attempt: &Attempt<'_>,
        message: &ApnsMessage,
    ) -> Outcome {
        let Some(topic) = &attempt.target.app_id else { return Outcome::NotConfigured };
        // Apple would answer the same; asking costs a round trip, and a connection counts refusals.
        if message.is_too_large() {
            return Outcome::Rejected(RejectionReason::Apns(ApnsReason::PayloadTooLarge));
        }
        self.apps[app].send(attempt, topic, message).await
    }
}
