//! The breakers of all apps, and what operators see of them.

use std::{sync::Arc, time::Duration};

use super::breaker::{Breaker, Change, Permit, Ticket};
use crate::{
    metrics::{AppLabels, Metrics},
    providers::{AppKey, AppName},
};

/// One breaker for each app.
pub(super) struct Breakers {
    apps: Box<[(AppName, Breaker)]>,
    metrics: Arc<Metrics>,
}

impl Breakers {
    pub(super) fn new(apps: &[AppName], metrics: &Arc<Metrics>) -> Self {
        let apps = apps.iter().map(|app| (app.clone(), Breaker::default())).collect();
        Self { apps, metrics: Arc::clone(metrics) }
    }

    pub(super) fn name(&self, app: AppKey) -> &str {
        &self.apps[app.index()].0.name
    }

    pub(super) fn permit(&self, app: AppKey, now: Duration) -> Permit {
        self.apps[app.index()].1.permit(now)
    }

    /// What a push may tell that did not ask whether it may be sent.
    pub(super) fn ticket(&self, app: AppKey) -> Option<Ticket> {
        self.apps[app.index()].1.ticket()
    }

    /// Notes that a push told nothing of its push service.
    pub(super) fn told_nothing(&self, app: AppKey, ticket: Ticket) {
        self.apps[app.index()].1.told_nothing(ticket);
    }

    /// Notes that the app's push service does its work; whether pushes were held back until now.
    pub(super) fn succeeded(&self, app: AppKey, ticket: Ticket, now: Duration) -> bool {
        let (name, breaker) = &self.apps[app.index()];
        if breaker.succeeded(ticket, now) != Change::Closed {
            return false;
        }
        self.show(name, true);
        tracing::info!(
            event = "provider.available",
            provider = name.provider.as_str(),
            app = &*name.name,
            "the push service takes pushes again",
        );
        true
    }

    /// Notes that it does not.
    pub(super) fn failed(
        &self,
        app: AppKey,
        ticket: Ticket,
        now: Duration,
        are_credentials_refused: bool,
        at_least: Option<Duration>,
        error: &dyn std::fmt::Display,
    ) {
        let (name, breaker) = &self.apps[app.index()];
        let change = breaker.failed(ticket, now, are_credentials_refused, at_least);
        let Change::Opened(pause) = change else {
            return;
        };
        self.show(name, false);
        let (provider, app, pause_s) = (name.provider.as_str(), &*name.name, pause.as_secs());
        if are_credentials_refused {
            tracing::error!(
                event = "provider.credentials_refused",
                provider,
                app,
                pause_s,
                %error,
                "the push service does not take our credentials; pushes wait until they are mended",
            );
        } else {
            tracing::warn!(
                event = "provider.unavailable",
                provider,
                app,
                pause_s,
                %error,
                "the push service fails too often; pushes wait",
            );
        }
    }

    /// Notes that it takes nothing more for a while, from nobody.
    pub(super) fn used_up(
        &self,
        app: AppKey,
        ticket: Ticket,
        now: Duration,
        at_least: Option<Duration>,
    ) {
        let (name, breaker) = &self.apps[app.index()];
        if let Change::Opened(pause) = breaker.used_up(ticket, now, at_least) {
            self.show(name, false);
            tracing::warn!(
                event = "provider.quota_used_up",
                provider = name.provider.as_str(),
                app = &*name.name,
                pause_s = pause.as_secs(),
                "the push service gets too many pushes of the app; they wait",
            );
        }
    }

    fn show(&self, app: &AppName, is_available: bool) {
        let labels = AppLabels { provider: app.provider, app: app.name.to_string() };
        self.metrics.provider_available.get_or_create(&labels).set(is_available.into());
    }
}
