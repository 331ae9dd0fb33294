//! The connections to one push service, as a pool counts them.

use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
};

use super::{
    ConnectionLabels, ConnectionState, ConnectsLabels, DialResult, GoawayLabels, GoawayReason,
    Metrics, ProviderLabels, ResponseLabels, RetryCause, RetryLabels,
};
use crate::domain::device::Provider;

/// A peer that sets no limit allows as many streams as can have a number, RFC 9113 section 5.1.1.
const UNLIMITED: i64 = 1 << 30;

/// The handles a pool of connections counts into.
#[derive(Clone)]
pub struct ProviderConnections {
    provider: Provider,
    connects: Family<ConnectsLabels, Counter>,
    open: Gauge,
    draining: Gauge,
    goaways: Family<GoawayLabels, Counter>,
    in_flight: Gauge,
    allowed: Gauge,
    pushes: Option<Pushes>,
}

/// What is counted for pushes alone.
#[derive(Clone)]
struct Pushes {
    waiting: Histogram,
    resent: Counter,
    responses: Family<ResponseLabels, Counter>,
    accepted: Counter,
}

impl Metrics {
    /// What the pools of `provider` count into.
    #[must_use]
    pub fn connections_of(&self, provider: Provider) -> ProviderConnections {
        let in_state = |state| {
            let labels = ConnectionLabels { provider, state };
            self.provider_connections.get_or_create(&labels).clone()
        };
        let labels = ProviderLabels { provider };
        let resent = RetryLabels { provider, cause: RetryCause::Goaway };
        let accepted = ResponseLabels { provider, code: StatusCode::OK.as_u16() };
        ProviderConnections {
            provider,
            connects: self.provider_connects.clone(),
            open: in_state(ConnectionState::Open),
            draining: in_state(ConnectionState::Draining),
            goaways: self.provider_goaways.clone(),
            in_flight: self.provider_streams_in_flight.get_or_create(&labels).clone(),
            allowed: self.provider_streams_max.get_or_create(&labels).clone(),
            pushes: Some(Pushes {
                waiting: self.push_queue_duration.get_or_create(&labels).clone(),
                resent: self.push_retries.get_or_create(&resent).clone(),
                responses: self.provider_responses.clone(),
                accepted: self.provider_responses.get_or_create(&accepted).clone(),
            }),
        }
    }

    /// Makes the series of a push service's refusals for these reasons, at zero.
    pub fn reasons_are_known(&self, provider: Provider, reasons: &[&'static str]) {
        super::initial::initialise_reasons(self, provider, reasons);
    }

    /// Makes the series of an app's pushes, at zero.
    pub fn app_is_configured(&self, provider: Provider, app: &str) {
        super::initial::initialise_app(self, provider, app);
    }
}

impl ProviderConnections {
    /// The same for a pool that carries no pushes, but what they need.
    #[must_use]
    pub fn without_pushes(self) -> Self {
        Self { pushes: None, ..self }
    }

    pub(crate) fn dialled(&self, result: DialResult) {
        self.connects.get_or_create(&ConnectsLabels { provider: self.provider, result }).inc();
    }

    /// There is one more connection, on which so many streams are allowed.
    pub(crate) fn opened(&self, limit: usize) {
        self.open.inc();
        self.allowed.inc_by(streams(limit));
    }

    /// The limit of a connection that takes requests is another one.
    pub(crate) fn limit_changed(&self, from: usize, to: usize) {
        self.allowed.inc_by(streams(to) - streams(from));
    }

    /// A connection takes no further requests.
    pub(crate) fn drains(&self, limit: usize) {
        self.open.dec();
        self.draining.inc();
        self.allowed.dec_by(streams(limit));
    }

    /// A connection that took no further requests is no more.
    pub(crate) fn closed(&self) {
        self.draining.dec();
    }

    pub(crate) fn went_away(&self, reason: GoawayReason) {
        self.goaways.get_or_create(&GoawayLabels { provider: self.provider, reason }).inc();
    }

    /// So many requests got a place.
    pub(crate) fn started(&self, requests: usize) {
        self.in_flight.inc_by(streams(requests));
    }

    /// A request gave its place back.
    pub(crate) fn ended(&self) {
        self.in_flight.dec();
    }

    /// A request waited so long for a place.
    pub(crate) fn waited(&self, duration: Duration) {
        if let Some(pushes) = &self.pushes {
            pushes.waiting.observe(duration.as_secs_f64());
        }
    }

    /// The peer did not look at a request, which is sent again at once.
    pub(crate) fn resent(&self) {
        if let Some(pushes) = &self.pushes {
            pushes.resent.inc();
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: StatusCode) {
        let Some(pushes) = &self.pushes else { return };
        if status == StatusCode::OK {
            pushes.accepted.inc();
        } else {
            let labels = ResponseLabels { provider: self.provider, code: status.as_u16() };
            pushes.responses.get_or_create(&labels).inc();
        }
    }
}

fn streams(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(UNLIMITED).min(UNLIMITED)
}
