//! Every counter, gauge and histogram of a running bouncer.
//!
//! Labels are closed sets, or names from the configuration: never a server, a realm, a user, a token
//! or an address. The sentence at a field is its help text.

mod initial;
mod labels;
mod provider_connections;

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

pub use labels::{
    jobs::{JobLabels, JobName, JobResult, JobRunLabels},
    pushes::{
        ApiLabel, AppLabels, ClaimAnswer, ClaimLabels, DeviceChange, DeviceChangeLabels,
        GivenUpLabels, GivenUpReason, NotificationLabels, NotificationResult, ProviderLabels,
        PushErrorLabels, PushLabels, PushOutcome, RetryCause, RetryLabels,
    },
    requests::{
        BuildLabels, RateLimitDecision, RateLimitLabels, RateLimitName, RegistrationLabels,
        RegistrationResult, RejectedLabels, RejectedReason, RequestDurationLabels, RequestLabels,
    },
    services::{
        ConnectionLabels, ConnectionState, ConnectsLabels, CredentialKind, CredentialLabels,
        DialResult, GoawayLabels, GoawayReason, RefreshLabels, RefreshResult, ResponseLabels,
    },
};
pub use provider_connections::ProviderConnections;

/// The chat server gives up after 15 seconds: below that the buckets are dense, above it is lost.
const LATENCY_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 15.0, 30.0];

/// From the message to the phone: what a person notices, to what has waited for an outage to end.
const MESSAGE_AGE_BUCKETS: [f64; 11] =
    [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

/// From a look that finds nothing to the first run on the rows of many years.
const JOB_BUCKETS: [f64; 9] = [0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0];

const DEVICE_BUCKETS: [f64; 9] = [1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 50.0, 200.0];

fn latency() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

fn message_age() -> Histogram {
    Histogram::new(MESSAGE_AGE_BUCKETS)
}

fn job_duration() -> Histogram {
    Histogram::new(JOB_BUCKETS)
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
    /// Pushes: notifications times devices, by what became of them in the end.
    pushes: Family<PushLabels, Counter> = Family::default(), "pushes";
    /// Refusals by Apple's and Google's documented reasons; others count as `other`.
    push_errors: Family<PushErrorLabels, Counter> = Family::default(), "push_errors";
    /// Pushes that were tried again, by why; those that a connection sends again at once are among `goaway`, those that
    /// a repeated notify asks for are counted where the first may have arrived.
    push_retries: Family<RetryLabels, Counter> = Family::default(), "push_retries";
    /// Pushes that are not tried any more, though a push service might still take them.
    pushes_given_up: Family<GivenUpLabels, Counter> = Family::default(), "pushes_given_up";
    /// Pushes that wait for another attempt.
    push_retry_entries: Family<ProviderLabels, Gauge> = Family::default(), "push_retry_entries";
    /// Memory of all pushes that wait for another attempt.
    push_retry_bytes: Gauge = Gauge::default(), "push_retry_bytes";
    /// Age of the oldest push that waits for another attempt, in seconds.
    push_retry_oldest: Gauge<f64, AtomicU64> = Gauge::default(), "push_retry_oldest_seconds";
    /// Whether Redis answers (1) or is away (0); 0 too where none is configured.
    redis_available: Gauge = Gauge::default(), "redis_available";
    /// Questions to Redis that failed or came too late.
    redis_errors: Counter = Counter::default(), "redis_errors";
    /// Notifies that are remembered to find those that come again.
    duplicate_entries: Gauge = Gauge::default(), "duplicate_entries";
    /// Pushes that nodes looked up together before they were sent, by what was known; none without Redis.
    duplicate_claims: Family<ClaimLabels, Counter> = Family::default(), "duplicate_claims";
    /// Final outcomes of pushes that the other nodes have not been told yet.
    duplicate_outcomes_waiting: Gauge = Gauge::default(), "duplicate_outcomes_waiting";
    /// Final outcomes that the other nodes are never told, because Redis was away and too many waited for it.
    duplicate_outcomes_lost: Counter = Counter::default(), "duplicate_outcomes_lost";
    /// Time from the decision to send to the push's final outcome, in seconds.
    push_duration: Family<ProviderLabels, Histogram> =
        Family::new_with_constructor(latency), "push_duration_seconds";
    /// Time a push waits for a free stream, in seconds.
    push_queue_duration: Family<ProviderLabels, Histogram> =
        Family::new_with_constructor(latency), "push_queue_duration_seconds";
    /// Time from the message, as its server dates it, to its acceptance by the push service, in seconds.
    delivery_latency: Family<ProviderLabels, Histogram> =
        Family::new_with_constructor(message_age), "delivery_latency_seconds";
    /// Time of one attempt of a push, in seconds: waiting for a connection and all that is sent again at once included.
    provider_request_duration: Family<ProviderLabels, Histogram> =
        Family::new_with_constructor(latency), "provider_request_duration_seconds";
    /// Answers of the push services, by status.
    provider_responses: Family<ResponseLabels, Counter> = Family::default(), "provider_responses";
    /// Connections to the push services.
    provider_connections: Family<ConnectionLabels, Gauge> = Family::default(), "provider_connections";
    /// Requests to the push services that are under way.
    provider_streams_in_flight: Family<ProviderLabels, Gauge> =
        Family::default(), "provider_streams_in_flight";
    /// Requests that the push services allow at once on the connections there are.
    provider_streams_max: Family<ProviderLabels, Gauge> = Family::default(), "provider_streams_max";
    /// Attempts to open a connection to a push service.
    provider_connects: Family<ConnectsLabels, Counter> = Family::default(), "provider_connects";
    /// Connections that a push service asked us to leave, by what it said.
    provider_goaways: Family<GoawayLabels, Counter> = Family::default(), "provider_goaways";
    /// Whether pushes of the app are sent (1), or held back after too many failures (0).
    provider_available: Family<AppLabels, Gauge> = Family::default(), "provider_available";
    /// When the push service last took a push of the app, in Unix seconds.
    provider_last_success: Family<AppLabels, Gauge<f64, AtomicU64>> =
        Family::default(), "provider_last_success_timestamp_seconds";
    /// How far the push service's clock is ahead of ours, in seconds.
    provider_clock_skew: Family<ProviderLabels, Gauge<f64, AtomicU64>> =
        Family::default(), "provider_clock_skew_seconds";
    /// When a credential ends, in Unix seconds.
    credential_expiry: Family<CredentialLabels, Gauge<f64, AtomicU64>> =
        Family::default(), "credential_expiry_timestamp_seconds";
    /// Renewals of credentials.
    credential_refreshes: Family<RefreshLabels, Counter> = Family::default(), "credential_refreshes";
    /// Whether devices of the app are kept, whatever the push service says of them (1).
    token_brake_engaged: Family<AppLabels, Gauge> = Family::default(), "token_brake_engaged";
    /// Devices that came and went.
    device_changes: Family<DeviceChangeLabels, Counter> = Family::default(), "device_changes";
    /// Registrations and transfers, by what became of them.
    registrations: Family<RegistrationLabels, Counter> = Family::default(), "registrations";
    /// Decisions of the limits.
    rate_limit_decisions: Family<RateLimitLabels, Counter> = Family::default(), "rate_limit_decisions";
    /// Runs of what is done from time to time, by how they ended.
    job_runs: Family<JobRunLabels, Counter> = Family::default(), "job_runs";
    /// Time that a run took, in seconds.
    job_duration: Family<JobLabels, Histogram> =
        Family::new_with_constructor(job_duration), "job_duration_seconds";
    /// When a run last did all there was to do, in Unix seconds; absent until one has.
    job_last_success: Family<JobLabels, Gauge<f64, AtomicU64>> =
        Family::default(), "job_last_success_timestamp_seconds";
    /// Time from one run to the next, in seconds; the leader alone has runs.
    job_interval: Family<JobLabels, Gauge<f64, AtomicU64>> =
        Family::default(), "job_interval_seconds";
    /// Whether this node does what one of the nodes does for all (1).
    node_leader: Gauge = Gauge::default(), "node_leader";
    /// Whether the last reload of the configuration found all good (1), or something stayed as it was (0).
    config_last_reload_successful: Gauge = Gauge::default(), "config_last_reload_successful";
    /// When a reload, or the start, last found all good, in Unix seconds.
    config_last_reload_success: Gauge<f64, AtomicU64> =
        Gauge::default(), "config_last_reload_success_timestamp_seconds";
    /// Statements that the database did not carry out.
    database_errors: Counter = Counter::default(), "db_errors";
    /// Whether the database answers (1), or is gone (0).
    database_available: Gauge = Gauge::default(), "db_available";
    /// Whether changes that other nodes announce are heard (1); with SQLite nobody listens.
    database_listening: Gauge = Gauge::default(), "db_listening";
    /// Answers that were given from memory because the database failed.
    database_answers_from_memory: Counter = Counter::default(), "db_answers_from_memory";
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
