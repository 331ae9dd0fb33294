//! Every counter, gauge and histogram of a running bouncer.
//!
//! Labels are closed sets, or names from the configuration: never a server, a realm, a user, a token
//! or an address. The sentence at a field is its help text.

mod initial;
mod labels;
mod provider_connections;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

pub use labels::{
    pushes::{
        ApiLabel, ConnectsLabels, DeviceChange, DeviceChangeLabels, DialResult, NotificationLabels,
        NotificationResult, ProviderLabels, PushErrorLabels, PushLabels, PushOutcome,
    },
    requests::{
        BuildLabels, RateLimitDecision, RateLimitLabels, RateLimitName, RegistrationLabels,
        RegistrationResult, RejectedLabels, RejectedReason, RequestDurationLabels, RequestLabels,
    },
};
pub use provider_connections::ProviderConnections;

/// The chat server gives up after 15 seconds: below that the buckets are dense, above it is lost.
const LATENCY_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 15.0, 30.0];

const DEVICE_BUCKETS: [f64; 9] = [1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 50.0, 200.0];

fn latency() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

fn devices() -> Histogram {
    Histogram::new(DEVICE_BUCKETS)
}

/// Makes the struct, its registration and the help texts from one list.
macro_rules! instruments {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ty = $make:expr, $name:literal;)+) => {
        /// The instruments; clones of a handle count into the same place.
        pub struct Metrics {
            $($(#[doc = $help])+ pub $field: $type,)+
            registry: Registry,
        }

        impl Metrics {
            fn registered() -> Self {
                let mut registry = Registry::with_prefix("push_bouncer");
                $(
                    let $field: $type = $make;
                    let help = concat!($($help),+).trim().trim_end_matches('.');
                    registry.register($name, help, $field.clone());
                )+
                Self { $($field,)+ registry }
            }
        }
    };
}

instruments! {
    /// API requests answered, by route, method and status.
    http_requests: Family<RequestLabels, Counter> = Family::default(), "http_requests";
    /// Time from the end of the request's head to the answer, in seconds.
    http_request_duration: Family<RequestDurationLabels, Histogram> =
        Family::new_with_constructor(latency), "http_request_duration_seconds";
    /// API requests that are being worked on.
    http_requests_in_flight: Gauge = Gauge::default(), "http_requests_in_flight";
    /// Connections to the public listener that are open.
    http_connections: Gauge = Gauge::default(), "http_connections";
    /// Requests that were refused, by reason.
    requests_rejected: Family<RejectedLabels, Counter> = Family::default(), "requests_rejected";
    /// Notifications, by API and by how many of their devices accepted them.
    notifications: Family<NotificationLabels, Counter> = Family::default(), "notifications";
    /// Devices a notification went to.
    notification_devices: Family<ApiLabel, Histogram> =
        Family::new_with_constructor(devices), "notification_devices";
    /// Pushes: notifications times devices, by what became of them.
    pushes: Family<PushLabels, Counter> = Family::default(), "pushes";
    /// Refusals by Apple's and Google's documented reasons; others count as `other`.
    push_errors: Family<PushErrorLabels, Counter> = Family::default(), "push_errors";
    /// Time from the decision to send to the provider's answer, in seconds.
    push_duration: Family<ProviderLabels, Histogram> =
        Family::new_with_constructor(latency), "push_duration_seconds";
    /// Open connections to the push services.
    provider_connections: Family<ProviderLabels, Gauge> = Family::default(), "provider_connections";
    /// Attempts to open a connection to a push service.
    provider_connects: Family<ConnectsLabels, Counter> = Family::default(), "provider_connects";
    /// Connections that a push service asked us to leave.
    provider_goaways: Family<ProviderLabels, Counter> = Family::default(), "provider_goaways";
    /// Devices that came and went.
    device_changes: Family<DeviceChangeLabels, Counter> = Family::default(), "device_changes";
    /// Registrations and transfers, by what became of them.
    registrations: Family<RegistrationLabels, Counter> = Family::default(), "registrations";
    /// Decisions of the limits.
    rate_limit_decisions: Family<RateLimitLabels, Counter> = Family::default(), "rate_limit_decisions";
    /// Statements that the database did not carry out.
    database_errors: Counter = Counter::default(), "db_errors";
}

impl Default for Metrics {
    /// All instruments, those with a closed set of labels at zero: `increase()` misses a first step.
    fn default() -> Self {
        let mut metrics = Self::registered();
        let build = BuildLabels { version: env!("CARGO_PKG_VERSION").to_owned() };
        metrics.registry.register("build", "The program that runs", Info::new(build));
        initial::initialise(&metrics);
        metrics
    }
}

impl Metrics {
    /// All of them as OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing a text into memory does not fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_label_sets_start_at_zero() {
        let text = Metrics::default().encode();
        assert!(
            text.contains("push_bouncer_requests_rejected_total{reason=\"rate_limited\"} 0"),
            "{text}"
        );
        let help = "# HELP push_bouncer_requests_rejected Requests that were refused, by reason.
";
        assert!(text.contains(help), "{text}");
    }
}
