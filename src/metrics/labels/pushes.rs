//! Labels of notifications, pushes, devices and the push services.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::{label_set, label_values};
use crate::domain::{device::Provider, notification::Origin};

impl EncodeLabelValue for Provider {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.as_str(), encoder)
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
    /// The kind of request a notification came by.
    ApiLabelValue {
        /// `push/notify`.
        V1 = "v1",
        /// `push/test_notification`.
        Test = "test",
        /// `push/e2ee/notify`.
        E2ee = "e2ee",
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
            Origin::E2ee => Self::E2ee,
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
        /// The same notification reached the device, or is on its way, by an earlier request.
        Deduplicated = "deduplicated",
        /// The message was read, or the device unregistered, before it could be sent.
        Superseded = "superseded",
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
        /// The proxy did not connect us.
        Proxy = "proxy",
        /// Too slow.
        Timeout = "timeout",
    }
}

label_values! {
    /// Why a push is tried again.
    RetryCause {
        /// The provider wants fewer pushes.
        Http429 = "http_429",
        /// The provider had a fault of its own.
        Http5xx = "http_5xx",
        /// The provider left the connection and did not look at the push.
        Goaway = "goaway",
        /// The provider takes no more at once.
        Crowded = "crowded",
        /// The provider could not be reached.
        Connect = "connect",
        /// The connection ended before the answer.
        Interrupted = "interrupted",
        /// The provider did not answer in time.
        Timeout = "timeout",
        /// The provider does not take our credentials, or there are none.
        Auth = "auth",
    }
}

label_set! {
    /// Labels of a repeated attempt.
    RetryLabels {
        /// The push service.
        provider: Provider,
        /// Why.
        cause: RetryCause,
    }
}

label_values! {
    /// Why a push is not tried any more, though it was not decided.
    GivenUpReason {
        /// It is too old.
        Expired = "expired",
        /// There is no memory for more, and others are more urgent.
        StoreFull = "store_full",
        /// Its server has its share of the memory.
        ServerShare = "server_share",
        /// The bouncer ends.
        Shutdown = "shutdown",
    }
}

label_set! {
    /// Labels of a push that was given up.
    GivenUpLabels {
        /// The push service.
        provider: Provider,
        /// Why.
        reason: GivenUpReason,
    }
}

label_values! {
    /// What a provider says when it leaves a connection.
    GoawayReason {
        /// Nothing is wrong.
        NoError = "no_error",
        /// We ask too much.
        EnhanceYourCalm = "enhance_your_calm",
        /// Anything else.
        Other = "other",
    }
}

label_set! {
    /// Labels of a connection that a provider left.
    GoawayLabels {
        /// The push service.
        provider: Provider,
        /// What it said.
        reason: GoawayReason,
    }
}

label_values! {
    /// Whether a connection takes requests.
    ConnectionState {
        /// It does.
        Open = "open",
        /// It ends those under way.
        Draining = "draining",
    }
}

label_set! {
    /// Labels of open connections.
    ConnectionLabels {
        /// The push service.
        provider: Provider,
        /// Whether they take requests.
        state: ConnectionState,
    }
}

label_set! {
    /// Labels of what belongs to one app.
    AppLabels {
        /// The push service.
        provider: Provider,
        /// The app's name in the configuration.
        app: String,
    }
}

label_set! {
    /// Labels of a provider's answer.
    ResponseLabels {
        /// The push service.
        provider: Provider,
        /// The status.
        code: u16,
    }
}

label_values! {
    /// A kind of credential.
    CredentialKind {
        /// A client certificate for Apple.
        ApnsCert = "apns_cert",
        /// An authentication token for Apple.
        ApnsJwt = "apns_jwt",
        /// An access token for Google.
        FcmToken = "fcm_token",
    }
}

label_set! {
    /// Labels of a credential.
    CredentialLabels {
        /// Its kind.
        kind: CredentialKind,
        /// The app's name in the configuration.
        name: String,
    }
}

label_values! {
    /// What became of a renewal.
    RefreshResult {
        /// There is a new one.
        Ok = "ok",
        /// The old one stays.
        Failed = "failed",
    }
}

label_set! {
    /// Labels of a renewal.
    RefreshLabels {
        /// The credential's kind.
        kind: CredentialKind,
        /// What became of it.
        result: RefreshResult,
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
        /// A provider calls it bad, and is not believed.
        Suspected = "suspected",
        /// A suspect that is none any more.
        Restored = "restored",
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
