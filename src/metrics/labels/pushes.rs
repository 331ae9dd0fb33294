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
