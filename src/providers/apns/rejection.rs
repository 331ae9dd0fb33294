//! Apple's reasons for no, in the order of Apple's table.
//!
//! <https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns>

use crate::metrics::PushOutcome;

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
    /// Whether it says that the device is gone.
    #[must_use]
    pub fn means_unregistered(self) -> bool {
        self.outcome() == PushOutcome::TokenInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_nobody_knows_is_other() {
        assert_eq!(ApnsReason::from_apple("Unregistered"), ApnsReason::Unregistered);
        assert_eq!(ApnsReason::from_apple("SomethingNew"), ApnsReason::Other);
        assert_eq!(ApnsReason::Other.as_str(), "other");
    }

    #[test]
    fn only_four_reasons_remove_a_device() {
        for reason in ["BadDeviceToken", "DeviceTokenNotForTopic", "ExpiredToken", "Unregistered"] {
            assert!(ApnsReason::from_apple(reason).means_unregistered());
        }
        for reason in ["TopicDisallowed", "BadTopic", "PayloadTooLarge", "TooManyRequests", "?"] {
            assert!(!ApnsReason::from_apple(reason).means_unregistered());
        }
    }
}
