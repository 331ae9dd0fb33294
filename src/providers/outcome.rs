//! What became of one attempt to send one notification to one device.

use std::time::Duration;

use super::{apns::ApnsReason, fcm::FcmReason};
use crate::{
    clock::Timestamp,
    metrics::{PushOutcome, RetryCause},
    outbound::SendError,
};

/// What became of one attempt; each variant says what to do next.
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
    /// The push service calls the device bad; so it does when our topic, environment or project is wrong.
    Doubtful(RejectionReason),
    /// The push service said no to this notification for good; the device stays.
    Rejected(RejectionReason),
    /// The operator has no credentials for this kind of phone, or for this app.
    NotConfigured,
    /// Not now: it may be taken later.
    Delayed(Delay),
}

/// Why a push was not decided, and when to try again.
#[derive(Clone, Debug)]
pub struct Delay {
    /// Why.
    pub why: Why,
    /// The push service asked for so much time.
    pub retry_after: Option<Duration>,
    /// After so much time it certainly fares better.
    pub at_latest: Option<Duration>,
    /// The push service has said the same of several devices, and has taken nothing in between.
    pub is_of_all: bool,
}

/// Why a push was not decided.
#[derive(Clone, Debug)]
pub enum Why {
    /// The push service said that it cannot take it now.
    Refused(RejectionReason),
    /// The push service said nothing that we understand.
    Failed(Failure),
}

/// What a delay says about other pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: we ask for more at once than the push service takes, or it does not say of whom it gets too much.
    Nothing,
    /// Other devices are not concerned.
    Device,
    /// Other pushes of the app may fare the same.
    App,
    /// All pushes of the app will, until its quota is filled again.
    Quota,
    /// All pushes of the app will, until the operator has mended its credentials.
    Credentials,
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
}

impl Outcome {
    /// The outcome in the words of metrics, if it stays the last one.
    #[must_use]
    pub fn label(&self) -> PushOutcome {
        match self {
            Self::Accepted => PushOutcome::Accepted,
            Self::Unregistered { .. } => PushOutcome::TokenInvalid,
            Self::Doubtful(reason) | Self::Rejected(reason) => reason.outcome(),
            Self::NotConfigured => PushOutcome::NotConfigured,
            Self::Delayed(delay) => delay.label(),
        }
    }

    /// The push service's documented word for no, or `other`; nothing where it said none.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unregistered { reason, .. } | Self::Doubtful(reason) | Self::Rejected(reason) => {
                Some(reason.as_str())
            }
            Self::Delayed(Delay { why: Why::Refused(reason), .. }) => Some(reason.as_str()),
            Self::Delayed(Delay { why: Why::Failed(Failure::Unexplained(_)), .. }) => Some("other"),
            Self::Accepted | Self::NotConfigured | Self::Delayed(_) => None,
        }
    }
}

impl Delay {
    /// What it says about other pushes.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match &self.why {
            Why::Refused(RejectionReason::Apns(ApnsReason::TooManyRequests)) => Scope::Device,
            // It may be about one device, or about the project: each push waits by itself.
            Why::Refused(_) if self.is_for_quota() => {
                if self.is_of_all {
                    Scope::Quota
                } else {
                    Scope::Nothing
                }
            }
            Why::Refused(reason) if reason.outcome() == PushOutcome::AuthFailed => {
                Scope::Credentials
            }
            Why::Failed(Failure::Send(SendError::Crowded)) => Scope::Nothing,
            Why::Refused(_) | Why::Failed(_) => Scope::App,
        }
    }

    /// Whether Google said that it gets too much.
    pub(super) fn is_for_quota(&self) -> bool {
        matches!(
            self.why,
            Why::Refused(RejectionReason::Fcm(
                FcmReason::QuotaExceeded | FcmReason::ResourceExhausted
            ))
        )
    }

    /// Whether the push service may have taken the push all the same, and only its answer was lost.
    #[must_use]
    pub fn may_have_been_accepted(&self) -> bool {
        match &self.why {
            Why::Failed(Failure::Send(SendError::Interrupted | SendError::Deadline)) => true,
            Why::Failed(Failure::Unexplained(status)) => (200..300).contains(status),
            Why::Refused(_)
            | Why::Failed(
                Failure::Send(SendError::Dial(_) | SendError::Crowded | SendError::Unprocessed)
                | Failure::AccessToken(_),
            ) => false,
        }
    }

    /// The cause in the words of metrics.
    #[must_use]
    pub fn cause(&self) -> RetryCause {
        match &self.why {
            Why::Refused(reason) => match reason.outcome() {
                PushOutcome::Throttled => RetryCause::Http429,
                PushOutcome::AuthFailed => RetryCause::Auth,
                _ => RetryCause::Http5xx,
            },
            Why::Failed(Failure::Send(SendError::Dial(_))) => RetryCause::Connect,
            Why::Failed(Failure::Send(SendError::Crowded)) => RetryCause::Crowded,
            Why::Failed(Failure::Send(SendError::Unprocessed)) => RetryCause::Goaway,
            Why::Failed(Failure::Send(SendError::Interrupted)) => RetryCause::Interrupted,
            Why::Failed(Failure::Send(SendError::Deadline)) => RetryCause::Timeout,
            Why::Failed(Failure::Unexplained(429)) => RetryCause::Http429,
            Why::Failed(Failure::Unexplained(_)) => RetryCause::Http5xx,
            Why::Failed(Failure::AccessToken(_)) => RetryCause::Auth,
        }
    }

    fn label(&self) -> PushOutcome {
        match &self.why {
            Why::Refused(reason) => reason.outcome(),
            Why::Failed(Failure::Send(SendError::Dial(_))) => PushOutcome::ConnectError,
            Why::Failed(Failure::Send(SendError::Deadline | SendError::Crowded)) => {
                PushOutcome::Timeout
            }
            Why::Failed(
                Failure::Send(SendError::Unprocessed | SendError::Interrupted)
                | Failure::Unexplained(_),
            ) => PushOutcome::ProviderError,
            Why::Failed(Failure::AccessToken(_)) => PushOutcome::AuthFailed,
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Delayed(Why::Failed(failure).into())
    }
}

impl From<Why> for Delay {
    fn from(why: Why) -> Self {
        Self { why, retry_after: None, at_latest: None, is_of_all: false }
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

    fn outcome(self) -> PushOutcome {
        match self {
            Self::Apns(reason) => reason.outcome(),
            Self::Fcm(reason) => reason.outcome(),
        }
    }
}
