//! The series that are there from the start, at zero.

use prometheus_client::metrics::family::{Family, MetricConstructor};

use super::{
    AppLabels, ClaimAnswer, ClaimLabels, ConnectionLabels, ConnectionState, ConnectsLabels,
    CredentialKind, DeviceChange, DeviceChangeLabels, DialResult, GivenUpLabels, GivenUpReason,
    GoawayLabels, GoawayReason, JobLabels, JobName, JobResult, JobRunLabels, Metrics,
    NotificationLabels, NotificationResult, ProviderLabels, PushErrorLabels, PushLabels,
    PushOutcome, RateLimitDecision, RateLimitLabels, RateLimitName, RefreshLabels, RefreshResult,
    RegistrationLabels, RegistrationResult, RejectedLabels, RejectedReason, ResponseLabels,
    RetryCause, RetryLabels, labels::pushes::ApiLabelValue,
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
    for &answer in ClaimAnswer::ALL {
        at_zero(&metrics.duplicate_claims, &ClaimLabels { answer });
    }
    for &result in RegistrationResult::ALL {
        at_zero(&metrics.registrations, &RegistrationLabels { result });
    }
    for &limit in RateLimitName::ALL {
        for &decision in RateLimitDecision::ALL {
            at_zero(&metrics.rate_limit_decisions, &RateLimitLabels { limit, decision });
        }
    }
    for &kind in CredentialKind::ALL {
        for &result in RefreshResult::ALL {
            at_zero(&metrics.credential_refreshes, &RefreshLabels { kind, result });
        }
    }
    for &job_name in JobName::ALL {
        for &result in JobResult::ALL {
            at_zero(&metrics.job_runs, &JobRunLabels { job_name, result });
        }
        at_zero(&metrics.job_duration, &JobLabels { job_name });
    }
    for provider in [Provider::Apns, Provider::Fcm] {
        for &change in DeviceChange::ALL {
            at_zero(&metrics.device_changes, &DeviceChangeLabels { provider, change });
        }
        for &result in DialResult::ALL {
            at_zero(&metrics.provider_connects, &ConnectsLabels { provider, result });
        }
        for &state in ConnectionState::ALL {
            at_zero(&metrics.provider_connections, &ConnectionLabels { provider, state });
        }
        for &reason in GoawayReason::ALL {
            at_zero(&metrics.provider_goaways, &GoawayLabels { provider, reason });
        }
        for &cause in RetryCause::ALL {
            at_zero(&metrics.push_retries, &RetryLabels { provider, cause });
        }
        for &reason in GivenUpReason::ALL {
            at_zero(&metrics.pushes_given_up, &GivenUpLabels { provider, reason });
        }
        for &code in statuses(provider) {
            at_zero(&metrics.provider_responses, &ResponseLabels { provider, code });
        }
        // Pushes that no app of the configuration reaches.
        let (app, outcome) = ("none".to_owned(), PushOutcome::NotConfigured);
        at_zero(&metrics.pushes, &PushLabels { provider, app, outcome });
        let of_provider = ProviderLabels { provider };
        at_zero(&metrics.push_retry_entries, &of_provider);
        at_zero(&metrics.provider_streams_in_flight, &of_provider);
        at_zero(&metrics.provider_streams_max, &of_provider);
    }
}

/// Makes the series of an app's pushes.
pub(super) fn initialise_app(metrics: &Metrics, provider: Provider, app: &str) {
    for &outcome in PushOutcome::ALL {
        at_zero(&metrics.pushes, &PushLabels { provider, app: app.to_owned(), outcome });
    }
    let labels = AppLabels { provider, app: app.to_owned() };
    metrics.provider_available.get_or_create(&labels).set(1);
    at_zero(&metrics.token_brake_engaged, &labels);
}

/// Makes the series of a push service's refusals.
pub(super) fn initialise_reasons(metrics: &Metrics, provider: Provider, reasons: &[&'static str]) {
    for &reason in reasons {
        at_zero(&metrics.push_errors, &PushErrorLabels { provider, reason });
    }
}

/// The statuses that a push service documents.
fn statuses(provider: Provider) -> &'static [u16] {
    match provider {
        Provider::Apns => &[200, 400, 403, 404, 405, 410, 413, 429, 500, 503],
        Provider::Fcm => &[200, 400, 401, 403, 404, 429, 500, 503],
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
