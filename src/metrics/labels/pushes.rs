//! Labels of notifications, pushes and devices.

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
        /// The notification says nothing to this kind of phone.
        NotAddressed = "not_addressed",
        /// The notification has more pushes than one may have.
        TooMany = "too_many",
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
    /// What nodes know together of a push that one of them would send.
    ClaimAnswer {
        /// Nothing: the node sends it.
        New = "new",
        /// It failed, or its node died: the node goes on with it.
        TakenOver = "taken_over",
        /// Another node brought it: it is not sent.
        Accepted = "accepted",
        /// Another node is trying it: it is not sent.
        Tried = "tried",
        /// Redis is away: the node sends it.
        Unknown = "unknown",
    }
}

label_set! {
    /// Labels of what nodes know together.
    ClaimLabels {
        /// What that is.
        answer: ClaimAnswer,
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
        /// A fault of push-bouncer itself, which is in its log.
        Fault = "fault",
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

label_set! {
    /// Labels of what belongs to one app.
    AppLabels {
        /// The push service.
        provider: Provider,
        /// The app's name in the configuration.
        app: String,
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
