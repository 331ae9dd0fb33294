//! The connections to one push service, as a pool counts them.

use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

use super::{ConnectsLabels, DialResult, Metrics, ProviderLabels};
use crate::domain::device::Provider;

/// The handles a pool of connections counts into.
#[derive(Clone)]
pub struct ProviderConnections {
    provider: Provider,
    connects: Family<ConnectsLabels, Counter>,
    open: Gauge,
    goaways: Counter,
}

impl Metrics {
    /// What the pools of `provider` count into.
    #[must_use]
    pub fn connections_of(&self, provider: Provider) -> ProviderConnections {
        let labels = ProviderLabels { provider };
        ProviderConnections {
            provider,
            connects: self.provider_connects.clone(),
            open: self.provider_connections.get_or_create(&labels).clone(),
            goaways: self.provider_goaways.get_or_create(&labels).clone(),
        }
    }

    /// Makes the series of an app's pushes, at zero.
    pub fn app_is_configured(&self, provider: Provider, app: &str) {
        super::initial::initialise_app(self, provider, app);
    }
}

impl ProviderConnections {
    pub(crate) fn dialled(&self, result: DialResult) {
        self.connects.get_or_create(&ConnectsLabels { provider: self.provider, result }).inc();
    }

    pub(crate) fn opened(&self) {
        self.open.inc();
    }

    pub(crate) fn closed(&self) {
        self.open.dec();
    }

    pub(crate) fn went_away(&self) {
        self.goaways.inc();
    }
}
