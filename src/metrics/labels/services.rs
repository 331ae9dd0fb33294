//! Labels of the push services: connections to them, and what we are known by there.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::{label_set, label_values};
use crate::domain::device::Provider;

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
