//! What became of one notification for one device.

use super::{apns::ApnsReason, fcm::FcmReason};
use crate::{clock::Timestamp, metrics::PushOutcome, outbound::SendError};

/// What became of one notification for one device; each variant says what to do next.
///
/// A refusal by a push service is a value, not an error: it was decided.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The push service took it.
    Accepted,
    /// The device is gone: remove it, if it was registered no later than `since`.
    Unregistered {
        /// Since when, if the push service said so; otherwise since the push.
        since: Option<Timestamp>,
        /// The push service's word.
        reason: RejectionReason,
    },
    /// The push service said no to this notification; the device stays.
    Rejected(RejectionReason),
    /// Nobody decided.
    Failed(Failure),
}

/// A push service's word for no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionReason {
    /// Apple's.
    Apns(ApnsReason),
    /// Google's.
    Fcm(FcmReason),
}

/// Why nobody decided.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// There is no answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// There is an answer without a reason in it.
    #[error("the push service answered {0} without a reason")]
    Unexplained(u16),
    /// No access token for the push service could be had.
    #[error("no access token: {0}")]
    AccessToken(String),
    /// The operator has no credentials for this kind of phone, or for this app.
    #[error("no credentials for this app")]
    NotConfigured,
}

impl Outcome {
    /// Whether the push service took it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }

    pub(super) fn label(&self) -> PushOutcome {
        match self {
            Self::Accepted => PushOutcome::Accepted,
            Self::Unregistered { .. } => PushOutcome::TokenInvalid,
            Self::Rejected(RejectionReason::Apns(reason)) => reason.outcome(),
            Self::Rejected(RejectionReason::Fcm(reason)) => reason.outcome(),
            Self::Failed(Failure::Send(SendError::Dial(_))) => PushOutcome::ConnectError,
            Self::Failed(Failure::Send(SendError::Deadline)) => PushOutcome::Timeout,
            Self::Failed(
                Failure::Send(SendError::Unprocessed | SendError::Interrupted)
                | Failure::Unexplained(_),
            ) => PushOutcome::ProviderError,
            Self::Failed(Failure::AccessToken(_)) => PushOutcome::AuthFailed,
            Self::Failed(Failure::NotConfigured) => PushOutcome::NotConfigured,
        }
    }

    pub(super) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unregistered { reason, .. } | Self::Rejected(reason) => Some(reason.as_str()),
            Self::Failed(Failure::Unexplained(_)) => Some("other"),
            Self::Accepted | Self::Failed(_) => None,
        }
    }
}

impl RejectionReason {
    /// The push service's own word, or `other`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apns(reason) => reason.as_str(),
            Self::Fcm(reason) => reason.as_str(),
        }
    }
}
