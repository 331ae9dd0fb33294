//! Apple's reasons for no, in the order of Apple's table.
//!
//! <https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns>

use crate::{
    clock::Timestamp,
    metrics::PushOutcome,
    providers::{Outcome, RejectionReason, Why},
};

/// Makes the reasons, their spelling and their class from one table.
macro_rules! reasons {
    ($($name:ident => $outcome:ident, $meaning:literal;)+) => {
        /// Apple's reason for refusing a push.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ApnsReason {
            $(#[doc = $meaning] $name,)+
            /// One that this table does not have.
            Other,
        }

        impl ApnsReason {
            /// All words of the table, and `other`.
            pub(in crate::providers) const WORDS: &[&'static str] = &[$(stringify!($name),)+ "other"];

            /// The reason with Apple's spelling.
            #[must_use]
            pub fn from_apple(word: &str) -> Self {
                match word {
                    $(stringify!($name) => Self::$name,)+
                    _ => Self::Other,
                }
            }

            /// Apple's spelling, or `other`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                    Self::Other => "other",
                }
            }

            /// What it means for the push.
            pub(crate) fn outcome(self) -> PushOutcome {
                match self {
                    $(Self::$name => PushOutcome::$outcome,)+
                    Self::Other => PushOutcome::ProviderError,
                }
            }
        }
    };
}

reasons! {
    BadCollapseId => PayloadRejected, "The collapse identifier is longer than 64 bytes.";
    BadDeviceToken => TokenInvalid, "The token is malformed, or of the other environment.";
    BadExpirationDate => PayloadRejected, "The expiration is no number.";
    BadMessageId => PayloadRejected, "The `apns-id` is no UUID.";
    BadPriority => PayloadRejected, "The priority is not 1, 5 or 10.";
    BadTopic => AuthFailed, "The topic is malformed.";
    DeviceTokenNotForTopic => TokenInvalid, "The token belongs to another app.";
    DuplicateHeaders => PayloadRejected, "A header came twice.";
    IdleTimeout => ProviderError, "The connection was idle for too long.";
    InvalidPushType => PayloadRejected, "The push type is unknown.";
    MissingDeviceToken => PayloadRejected, "The path has no token.";
    MissingTopic => AuthFailed, "There is no topic, and the certificate names several.";
    PayloadEmpty => PayloadRejected, "There is no payload.";
    TopicDisallowed => AuthFailed, "The credentials are not for this topic.";
    BadCertificate => AuthFailed, "The client certificate is not valid.";
    BadCertificateEnvironment => AuthFailed, "The client certificate is of the other environment.";
    BadEnvironmentKeyIdInToken => AuthFailed, "The key is limited to the other environment.";
    ExpiredProviderToken => AuthFailed, "The authentication token is older than an hour.";
    Forbidden => AuthFailed, "The credentials do not allow this.";
    InvalidProviderToken => AuthFailed, "The authentication token is not valid.";
    MissingProviderToken => AuthFailed, "There is neither a token nor a certificate.";
    UnrelatedKeyIdInToken => AuthFailed, "The key is not the one of this connection.";
    BadPath => PayloadRejected, "The path is not that of a device.";
    MethodNotAllowed => PayloadRejected, "The method is not POST.";
    ExpiredToken => TokenInvalid, "The device token has expired.";
    Unregistered => TokenInvalid, "The device token is not active for the topic.";
    PayloadTooLarge => PayloadRejected, "The payload is longer than 4096 bytes.";
    TooManyProviderTokenUpdates => Throttled, "The authentication token changes more than once in 20 minutes.";
    TooManyRequests => Throttled, "Too many pushes to one device.";
    InternalServerError => ProviderError, "A fault at Apple.";
    ServiceUnavailable => ProviderError, "Apple cannot serve now.";
    Shutdown => ProviderError, "Apple's server is shutting down.";
}

impl ApnsReason {
    /// What an answer with this reason means for the push and its device.
    pub(super) fn meaning(self, status: u16, since: Option<Timestamp>) -> Outcome {
        let reason = RejectionReason::Apns(self);
        let delayed = Outcome::Delayed(Why::Refused(reason).into());
        match self {
            Self::Unregistered | Self::ExpiredToken => Outcome::Unregistered { since, reason },
            Self::BadDeviceToken | Self::DeviceTokenNotForTopic => Outcome::Doubtful(reason),
            // Which apps the credentials are for does not change within an hour.
            Self::BadTopic | Self::MissingTopic | Self::TopicDisallowed => {
                Outcome::Rejected(reason)
            }
            Self::IdleTimeout => delayed,
            Self::Other if status == 429 || status >= 500 => delayed,
            Self::Other => Outcome::Rejected(reason),
            _ => match self.outcome() {
                PushOutcome::AuthFailed | PushOutcome::Throttled | PushOutcome::ProviderError => {
                    delayed
                }
                _ => Outcome::Rejected(reason),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Scope;

    #[test]
    fn a_reason_nobody_knows_is_other() {
        assert_eq!(ApnsReason::from_apple("Unregistered"), ApnsReason::Unregistered);
        assert_eq!(ApnsReason::from_apple("SomethingNew"), ApnsReason::Other);
        assert_eq!(ApnsReason::Other.as_str(), "other");
    }

    #[test]
    fn a_reason_says_what_becomes_of_push_and_device() {
        let meaning = |reason, status| ApnsReason::from_apple(reason).meaning(status, None);
        for reason in ["ExpiredToken", "Unregistered"] {
            assert!(matches!(meaning(reason, 410), Outcome::Unregistered { .. }), "{reason}");
        }
        for reason in ["BadDeviceToken", "DeviceTokenNotForTopic"] {
            assert!(matches!(meaning(reason, 400), Outcome::Doubtful(_)), "{reason}");
        }
        for reason in ["TopicDisallowed", "BadTopic", "PayloadTooLarge", "BadPriority", "?"] {
            assert!(matches!(meaning(reason, 400), Outcome::Rejected(_)), "{reason}");
        }
        for (reason, status, scope) in [
            ("TooManyRequests", 429, Scope::Device),
            ("TooManyProviderTokenUpdates", 429, Scope::App),
            ("InternalServerError", 500, Scope::App),
            ("Shutdown", 503, Scope::App),
            ("?", 502, Scope::App),
            ("InvalidProviderToken", 403, Scope::Credentials),
            ("BadCertificateEnvironment", 403, Scope::Credentials),
        ] {
            let Outcome::Delayed(delay) = meaning(reason, status) else { panic!("{reason}") };
            assert_eq!(delay.scope(), scope, "{reason}");
            assert!(!delay.may_have_been_accepted());
        }
    }
}
