//! The series that are there from the start, at zero.

use prometheus_client::metrics::family::{Family, MetricConstructor};

use super::{
    ConnectsLabels, DeviceChange, DeviceChangeLabels, DialResult, Metrics, NotificationLabels,
    NotificationResult, ProviderLabels, PushLabels, PushOutcome, RateLimitDecision,
    RateLimitLabels, RateLimitName, RegistrationLabels, RegistrationResult, RejectedLabels,
    RejectedReason, labels::pushes::ApiLabelValue,
};
use crate::domain::device::Provider;

/// Makes every series whose labels are known beforehand.
pub(super) fn initialise(metrics: &Metrics) {
    for &reason in RejectedReason::ALL {
        at_zero(&metrics.requests_rejected, &RejectedLabels { reason });
    }
    for &api in ApiLabelValue::ALL {
        for &result in NotificationResult::ALL {
            at_zero(&metrics.notifications, &NotificationLabels { api, result });
        }
    }
    for &result in RegistrationResult::ALL {
        at_zero(&metrics.registrations, &RegistrationLabels { result });
    }
    for &limit in RateLimitName::ALL {
        for &decision in RateLimitDecision::ALL {
            at_zero(&metrics.rate_limit_decisions, &RateLimitLabels { limit, decision });
        }
    }
    for provider in [Provider::Apns, Provider::Fcm] {
        for &change in DeviceChange::ALL {
            at_zero(&metrics.device_changes, &DeviceChangeLabels { provider, change });
        }
        for &result in DialResult::ALL {
            at_zero(&metrics.provider_connects, &ConnectsLabels { provider, result });
        }
        at_zero(&metrics.provider_connections, &ProviderLabels { provider });
        at_zero(&metrics.provider_goaways, &ProviderLabels { provider });
    }
}

/// Makes the series of an app's pushes.
pub(super) fn initialise_app(metrics: &Metrics, provider: Provider, app: &str) {
    for &outcome in PushOutcome::ALL {
        at_zero(&metrics.pushes, &PushLabels { provider, app: app.to_owned(), outcome });
    }
}

/// Makes one series.
fn at_zero<L, M, C>(family: &Family<L, M, C>, labels: &L)
where
    L: Clone + Eq + std::hash::Hash,
    C: MetricConstructor<M>,
{
    drop(family.get_or_create(labels));
}
