//! Google's reasons for no.
//!
//! <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>; an error without the detail of
//! FCM has a general status (<https://cloud.google.com/apis/design/errors#handling_errors>).

use serde::Deserialize;

use crate::metrics::PushOutcome;

/// Makes the reasons, their spelling and their class from one table.
macro_rules! reasons {
    ($($name:ident = $word:literal => $outcome:ident, $meaning:literal;)+) => {
        /// Google's reason for refusing a push.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FcmReason {
            $(#[doc = $meaning] $name,)+
            /// One that this table does not have.
            Other,
        }

        impl FcmReason {
            /// The reason with Google's spelling.
            #[must_use]
            pub fn from_google(word: &str) -> Self {
                match word {
                    $($word => Self::$name,)+
                    _ => Self::Other,
                }
            }

            /// Google's spelling, or `other`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
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
    InvalidArgument = "INVALID_ARGUMENT" => PayloadRejected, "The message, or its token, is malformed.";
    Unregistered = "UNREGISTERED" => TokenInvalid, "The app was removed from the device, or its token replaced.";
    SenderIdMismatch = "SENDER_ID_MISMATCH" => AuthFailed, "The app was built for another Firebase project.";
    QuotaExceeded = "QUOTA_EXCEEDED" => Throttled, "Too many messages.";
    Unavailable = "UNAVAILABLE" => ProviderError, "Google cannot serve now.";
    Internal = "INTERNAL" => ProviderError, "A fault at Google.";
    ThirdPartyAuthError = "THIRD_PARTY_AUTH_ERROR" => AuthFailed, "Google's own credentials for Apple or the web are wrong.";
    UnspecifiedError = "UNSPECIFIED_ERROR" => ProviderError, "Google gives no more information.";
    Unauthenticated = "UNAUTHENTICATED" => AuthFailed, "The access token is not valid.";
    PermissionDenied = "PERMISSION_DENIED" => AuthFailed, "The service account may not send.";
    NotFound = "NOT_FOUND" => AuthFailed, "The project does not exist.";
    ResourceExhausted = "RESOURCE_EXHAUSTED" => Throttled, "A quota is used up.";
}

#[derive(Deserialize)]
struct Answer {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    status: Option<String>,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "@type")]
    kind: Option<String>,
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
}

/// The reason in an answer's body; `None` when there is none.
///
/// Only the detail of FCM can say that a device is gone: a plain 404 is a wrong project or address.
pub(super) fn read(body: &[u8]) -> Option<FcmReason> {
    let Answer { error } = serde_json::from_slice(body).ok()?;
    let is_fcm = |detail: &&Detail| {
        detail.kind.as_deref() == Some("type.googleapis.com/google.firebase.fcm.v1.FcmError")
    };
    if let Some(code) =
        error.details.iter().find(is_fcm).and_then(|detail| detail.error_code.as_deref())
    {
        return Some(FcmReason::from_google(code));
    }
    error.status.as_deref().map(|status| match FcmReason::from_google(status) {
        FcmReason::Unregistered => FcmReason::Other,
        reason => reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_detail_of_fcm_means_unregistered() {
        let detail = br#"{"error":{"code":404,"status":"NOT_FOUND","details":[
            {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#;
        assert_eq!(read(detail), Some(FcmReason::Unregistered));
        assert_eq!(
            read(br#"{"error":{"code":404,"status":"NOT_FOUND"}}"#),
            Some(FcmReason::NotFound)
        );
        assert_eq!(read(br#"{"error":{"status":"UNREGISTERED"}}"#), Some(FcmReason::Other));
        assert_eq!(read(b"<html>"), None);
    }
}
