//! The labels of the metrics, as closed sets.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::family::{Family, MetricConstructor},
};

use super::Metrics;
use crate::domain::{device::Provider, notification::Origin};

/// Makes an enum whose variants are label values.
macro_rules! label_values {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $variant_doc])+ $variant,)+
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant,)+];
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                EncodeLabelValue::encode(&match self { $(Self::$variant => $text,)+ }, encoder)
            }
        }
    };
}

impl EncodeLabelValue for Provider {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

/// Makes the struct of one metric's labels.
macro_rules! label_set {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $field: $type,)+
        }
    };
}

label_set! {
    /// Labels of the build.
    BuildLabels {
        /// The program's version.
        version: String,
    }
}

label_set! {
    /// Labels of an answered request.
    RequestLabels {
        /// The path of the table it matched, or `unmatched`.
        route: &'static str,
        /// The method, or `other`.
        method: &'static str,
        /// The status.
        code: u16,
    }
}

label_set! {
    /// Labels of a request's duration.
    RequestDurationLabels {
        /// The path of the table it matched, or `unmatched`.
        route: &'static str,
    }
}

label_set! {
    /// Labels of what belongs to one push service.
    ProviderLabels {
        /// The push service.
        provider: Provider,
    }
}

label_values! {
    /// Why a request was refused.
    RejectedReason {
        /// No such organization id.
        UnknownServer = "unknown_server",
        /// The key is not this server's.
        BadKey = "bad_key",
        /// The registration was deactivated.
        Deactivated = "deactivated",
        /// More than 1000 requests in a minute.
        RateLimited = "rate_limited",
        /// Too many failures from one address, or for one organization.
        AddressLimited = "address_limited",
        /// The plan does not allow pushes.
        Plan = "plan",
        /// The body is not what the endpoint takes.
        InvalidPayload = "invalid_payload",
        /// The body or the path is too long.
        TooLarge = "too_large",
        /// The realm belongs to another server.
        RealmMismatch = "realm_mismatch",
        /// As many requests as allowed were under way.
        Overloaded = "overloaded",
    }
}

label_set! {
    /// Labels of a refusal.
    RejectedLabels {
        /// Why.
        reason: RejectedReason,
    }
}

label_values! {
    /// The kind of request a notification came by.
    ApiLabelValue {
        /// `push/notify`.
        V1 = "v1",
        /// `push/test_notification`.
        Test = "test",
    }
}

label_set! {
    /// Labels of a notification's size.
    ApiLabel {
        /// The kind of request.
        api: ApiLabelValue,
    }
}

impl From<Origin> for ApiLabelValue {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Notify => Self::V1,
            Origin::Test => Self::Test,
        }
    }
}

label_values! {
    /// How many devices of a notification accepted it.
    NotificationResult {
        /// Every one.
        AllAccepted = "all_accepted",
        /// Some.
        Partial = "partial",
        /// There were devices, and none accepted.
        NoneAccepted = "none_accepted",
        /// The user has no device.
        NoDevices = "no_devices",
    }
}

label_set! {
    /// Labels of a notification.
    NotificationLabels {
        /// The kind of request.
        api: ApiLabelValue,
        /// How many devices accepted.
        result: NotificationResult,
    }
}

label_values! {
    /// What became of one push.
    PushOutcome {
        /// The provider took it.
        Accepted = "accepted",
        /// The provider says that the device is gone.
        TokenInvalid = "token_invalid",
        /// The provider does not take this payload.
        PayloadRejected = "payload_rejected",
        /// The provider does not take our credentials.
        AuthFailed = "auth_failed",
        /// The provider wants fewer pushes.
        Throttled = "throttled",
        /// The provider had a fault of its own.
        ProviderError = "provider_error",
        /// The provider did not answer in time.
        Timeout = "timeout",
        /// The provider could not be reached.
        ConnectError = "connect_error",
        /// No credentials for this provider or app.
        NotConfigured = "not_configured",
    }
}

label_set! {
    /// Labels of a push.
    PushLabels {
        /// The push service.
        provider: Provider,
        /// The app's name in the configuration, or `none`.
        app: String,
        /// What became of it.
        outcome: PushOutcome,
    }
}

label_set! {
    /// Labels of a refusal by a provider.
    PushErrorLabels {
        /// The push service.
        provider: Provider,
        /// The provider's documented word, or `other`.
        reason: &'static str,
    }
}

label_values! {
    /// What became of an attempt to connect.
    DialResult {
        /// A connection.
        Ok = "ok",
        /// No address for the name.
        Dns = "dns",
        /// No address answers.
        Tcp = "tcp",
        /// No secure connection, or one that does not speak HTTP/2.
        Tls = "tls",
        /// Too slow.
        Timeout = "timeout",
    }
}

label_set! {
    /// Labels of an attempt to connect.
    ConnectsLabels {
        /// The push service.
        provider: Provider,
        /// What became of it.
        result: DialResult,
    }
}

label_values! {
    /// What happened to a stored device.
    DeviceChange {
        /// A server registered it.
        Registered = "registered",
        /// A server unregistered it.
        Unregistered = "unregistered",
        /// A provider declared it dead.
        Expired = "expired",
        /// It was stored twice for one user.
        Deduplicated = "deduplicated",
    }
}

label_set! {
    /// Labels of a change of devices.
    DeviceChangeLabels {
        /// The push service.
        provider: Provider,
        /// What happened.
        change: DeviceChange,
    }
}

label_values! {
    /// What became of a call of `server/register`.
    RegistrationResult {
        /// A new server.
        Created = "created",
        /// A known server.
        Updated = "updated",
        /// A known server with a new key.
        Rotated = "rotated",
        /// Nothing was registered.
        Rejected = "rejected",
    }
}

label_set! {
    /// Labels of a call of `server/register`.
    RegistrationLabels {
        /// What became of it.
        result: RegistrationResult,
    }
}

label_values! {
    /// The limits.
    RateLimitName {
        /// 1000 requests a minute and server.
        Server = "server",
        /// Unauthenticated requests by address.
        Ip = "ip",
        /// Failed authentication by address or organization.
        Login = "login",
    }
}

label_values! {
    /// What a limit decided.
    RateLimitDecision {
        /// Go on.
        Allowed = "allowed",
        /// Go on a little later.
        Delayed = "delayed",
        /// Refused.
        Rejected = "rejected",
    }
}

label_set! {
    /// Labels of a limit's decision.
    RateLimitLabels {
        /// Which limit.
        limit: RateLimitName,
        /// What it decided.
        decision: RateLimitDecision,
    }
}

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
