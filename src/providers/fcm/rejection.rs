//! Google's reasons for no.
//!
//! <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>; an error without the detail of
//! FCM has a general status (<https://cloud.google.com/apis/design/errors#handling_errors>).

use serde::Deserialize;

use crate::{
    metrics::PushOutcome,
    providers::{Outcome, RejectionReason, Why},
};

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
            /// All words of the table, and `other`.
            pub(in crate::providers) const WORDS: &[&'static str] = &[$($word,)+ "other"];

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
    message: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "@type")]
    kind: Option<String>,
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
    #[serde(rename = "fieldViolations", default)]
    field_violations: Vec<FieldViolation>,
}

#[derive(Deserialize)]
struct FieldViolation {
    field: Option<String>,
}

/// What Google's answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: FcmReason,
    /// Of what is malformed nothing but the token can be.
    is_token: bool,
}

impl Refusal {
    /// What it means for the push and its device.
    pub(super) fn meaning(self, status: u16) -> Outcome {
        let reason = RejectionReason::Fcm(self.reason);
        let delayed = Outcome::Delayed(Why::Refused(reason).into());
        match self.reason {
            // "UNREGISTERED (HTTP error code = 404)": a service that fails knows nothing of devices.
            FcmReason::Unregistered if status == 404 => {
                Outcome::Unregistered { since: None, reason }
            }
            FcmReason::Unregistered => Self { reason: FcmReason::Other, ..self }.meaning(status),
            FcmReason::InvalidArgument if self.is_token => Outcome::Doubtful(reason),
            FcmReason::SenderIdMismatch => Outcome::Doubtful(reason),
            FcmReason::InvalidArgument | FcmReason::ThirdPartyAuthError => {
                Outcome::Rejected(reason)
            }
            FcmReason::QuotaExceeded
            | FcmReason::ResourceExhausted
            | FcmReason::Unavailable
            | FcmReason::Internal
            | FcmReason::UnspecifiedError
            | FcmReason::Unauthenticated
            | FcmReason::PermissionDenied
            | FcmReason::NotFound => delayed,
            FcmReason::Other if status == 429 || status >= 500 => delayed,
            FcmReason::Other => Outcome::Rejected(reason),
        }
    }
}

/// The reason in an answer's body, and the word that it was read from; `None` when there is none.
///
/// Only the detail of FCM can say that a device is gone: a plain 404 is a wrong project or address.
pub(super) fn read(body: &[u8]) -> Option<(Refusal, String)> {
    let Answer { error } = serde_json::from_slice(body).ok()?;
    let is_fcm = |detail: &&Detail| {
        detail.kind.as_deref() == Some("type.googleapis.com/google.firebase.fcm.v1.FcmError")
    };
    if let Some(code) =
        error.details.iter().find(is_fcm).and_then(|detail| detail.error_code.as_deref())
    {
        let mut violations = error.details.iter().flat_map(|detail| &detail.field_violations);
        let first = violations.next().map(|violation| violation.field.as_deref());
        // Google's second example names no field: "The registration token is not a valid FCM registration token".
        let is_token = match first {
            None => error.message.contains("registration token"),
            Some(field) => {
                let is_token = |field: Option<&str>| field == Some("message.token");
                is_token(field) && violations.all(|other| is_token(other.field.as_deref()))
            }
        };
        let reason = FcmReason::from_google(code);
        return Some((Refusal { reason, is_token }, code.to_owned()));
    }
    let status = error.status.as_deref()?;
    let reason = match FcmReason::from_google(status) {
        FcmReason::Unregistered => FcmReason::Other,
        reason => reason,
    };
    Some((Refusal { reason, is_token: false }, status.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_detail_of_fcm_means_unregistered() {
        let detail = br#"{"error":{"code":404,"status":"NOT_FOUND","details":[
            {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#;
        assert_eq!(reason(detail), Some(FcmReason::Unregistered));
        assert_eq!(
            reason(br#"{"error":{"code":404,"status":"NOT_FOUND"}}"#),
            Some(FcmReason::NotFound)
        );
        assert_eq!(reason(br#"{"error":{"status":"UNREGISTERED"}}"#), Some(FcmReason::Other));
        assert_eq!(reason(b"<html>"), None);
    }

    #[test]
    fn only_status_404_means_unregistered() {
        let detail = br#"{"error":{"details":[
            {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#;
        let meaning = |status| read(detail).unwrap().0.meaning(status);
        assert!(matches!(meaning(404), Outcome::Unregistered { .. }));
        for status in [429, 500, 503] {
            assert!(matches!(meaning(status), Outcome::Delayed(_)), "{status}");
        }
        for status in [400, 403] {
            assert!(matches!(meaning(status), Outcome::Rejected(_)), "{status}");
        }
    }

    #[test]
    fn a_malformed_token_is_told_from_a_malformed_message() {
        let answer = |message: &str, more: &str| {
            let text = format!(
                r#"{{"error":{{"code":400,"message":"{message}","status":"INVALID_ARGUMENT","details":[
                {{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"}}{more}]}}}}"#
            );
            read(text.as_bytes()).unwrap().0.meaning(400)
        };
        let violation = |field: &str| {
            let more = format!(
                r#",{{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{{"field":"{field}"}}]}}"#
            );
            answer("Invalid value", &more)
        };
        let of_token = "The registration token is not a valid FCM registration token";
        assert!(matches!(answer(of_token, ""), Outcome::Doubtful(_)));
        assert!(matches!(answer("Message payload is wrong", ""), Outcome::Rejected(_)));
        assert!(matches!(violation("message.token"), Outcome::Doubtful(_)));
        assert!(matches!(violation("message.data[0].value"), Outcome::Rejected(_)));
        let (plain, _) = read(br#"{"error":{"status":"INVALID_ARGUMENT"}}"#).unwrap();
        assert!(matches!(plain.meaning(400), Outcome::Rejected(_)));
    }

    fn reason(body: &[u8]) -> Option<FcmReason> {
        read(body).map(|(refusal, _)| refusal.reason)
    }
}
