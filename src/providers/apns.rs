//! Apple Push Notification service.
//!
//! Requests: <https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns>,
//! answers: <https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns>.

mod app;
mod authentication_token;
mod message;
mod rejection;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use app::App;
use authentication_token::AuthenticationTokens;
pub use message::{ApnsMessage, MAX_PAYLOAD_BYTES};
pub use rejection::ApnsReason;

use super::{Failure, Outcome, ProvidersError, RejectionReason};
use crate::{
    clock::Clock,
    config::ApnsAppConfig,
    domain::device::{AppId, Target},
    metrics::Metrics,
    random::Random,
};

/// All apps of the operator on Apple's phones.
pub(super) struct Apns {
    apps: Vec<App>,
    by_topic: HashMap<AppId, usize>,
    random: Random,
}

impl Apns {
    pub(super) fn new(
        config: &BTreeMap<String, ApnsAppConfig>,
        ca_file: Option<&Path>,
        clock: &Clock,
        random: &Random,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ProvidersError> {
        let mut apps = Vec::with_capacity(config.len());
        let mut by_topic = HashMap::new();
        // Apple counts changes of tokens by team, so apps with one key share its tokens.
        let mut by_key: HashMap<(&str, &str), Arc<AuthenticationTokens>> = HashMap::new();
        for (name, app) in config {
            for topic in app.topics.iter().filter_map(|topic| AppId::parse(topic)) {
                by_topic.insert(topic, apps.len());
            }
            let tokens = match (&app.key_file, &app.key_id, &app.team_id) {
                (Some(file), Some(key_id), Some(team_id)) => {
                    let known = by_key.get(&(team_id.as_str(), key_id.as_str())).cloned();
                    Some(match known {
                        Some(tokens) => tokens,
                        None => {
                            let read =
                                AuthenticationTokens::read(file, key_id, team_id, clock, random)?;
                            let tokens = Arc::new(read);
                            by_key.insert((team_id, key_id), Arc::clone(&tokens));
                            tokens
                        }
                    })
                }
                _ => None,
            };
            apps.push(App::new(name, app, tokens, ca_file, clock, metrics)?);
        }
        Ok(Self { apps, by_topic, random: random.clone() })
    }

    pub(super) fn has_apps(&self) -> bool {
        !self.apps.is_empty()
    }

    /// Sends to one device; the app's name comes with the outcome.
    pub(super) async fn send(
        &self,
        target: &Target,
        message: &ApnsMessage,
    ) -> (Option<&str>, Outcome) {
        let found = target
            .app_id
            .as_ref()
            .and_then(|topic| self.by_topic.get(topic).map(|&index| (topic, &self.apps[index])));
        let Some((topic, app)) = found else {
            return (None, Outcome::Failed(Failure::NotConfigured));
        };
        // Apple would answer the same; asking costs a round trip, and a connection counts refusals.
        if message.is_too_large() {
            let reason = RejectionReason::Apns(ApnsReason::PayloadTooLarge);
            return (Some(app.name()), Outcome::Rejected(reason));
        }
        let outcome = app.send(&target.token, topic, message, self.random.uuid()).await;
        (Some(app.name()), outcome)
    }
}
