//! Statuses, codes and texts of transfers; chat servers show the texts to whoever asked for one.

use std::borrow::Cow;

use http::StatusCode;

use super::{ApiError, words::BAD_REQUEST};
use crate::{
    metrics::RejectedReason,
    transfer::{ChallengeError, SecretError, TransferError},
};

/// Status, code and text.
pub(super) fn parts(
    error: &TransferError,
) -> (StatusCode, Option<&'static str>, Cow<'static, str>) {
    let text = match error {
        TransferError::AddressLimit(wait) => return ApiError::TooManyRequests(*wait).parts(),
        // Without `Retry-After`: who waits for all others cannot know how long.
        TransferError::TotalLimit(contact) => {
            let text = limits_reached(contact.as_deref()).into();
            return (StatusCode::TOO_MANY_REQUESTS, Some("RATE_LIMIT_HIT"), text);
        }
        TransferError::Busy => return ApiError::Overloaded.parts(),
        TransferError::Registry(_) => return ApiError::Unavailable.parts(),
        TransferError::NotRegistered => "Registration not found for this hostname".into(),
        TransferError::Challenge(error) => challenge(*error),
        TransferError::Secret(error) => secret(*error).into(),
    };
    (StatusCode::BAD_REQUEST, Some(BAD_REQUEST), text)
}

/// What metrics call it, where operators watch for it.
pub(super) fn rejected_reason(error: &TransferError) -> Option<RejectedReason> {
    match error {
        TransferError::AddressLimit(_) => Some(RejectedReason::AddressLimited),
        TransferError::TotalLimit(_) => Some(RejectedReason::TransferLimited),
        TransferError::Busy => Some(RejectedReason::Overloaded),
        TransferError::NotRegistered
        | TransferError::Challenge(_)
        | TransferError::Secret(_)
        | TransferError::Registry(_) => None,
    }
}

fn limits_reached(contact: Option<&str>) -> String {
    let help = contact.map(|contact| format!(" or reach out to {contact} for assistance"));
    format!(
        "The global limits on recent usage of this endpoint have been reached. Please try again later{}.",
        help.unwrap_or_default()
    )
}

fn challenge(error: ChallengeError) -> Cow<'static, str> {
    match error {
        ChallengeError::NotPrepared => "The host reported it has no verification secret.".into(),
        // Older and newer references have different texts; the older one knows none for what is no failure.
        ChallengeError::Status(status) if status.as_u16() >= 400 => {
            format!("Error response received from the host: {}", status.as_u16()).into()
        }
        ChallengeError::Status(status) => {
            format!("Unexpected status code received from the host: {}", status.as_u16()).into()
        }
        ChallengeError::Tls => "SSL error occurred while communicating with the host.".into(),
        ChallengeError::Connection => {
            "Connection error occurred while communicating with the host.".into()
        }
        ChallengeError::Timeout => {
            "The request timed out while communicating with the host.".into()
        }
        ChallengeError::Transport => "An error occurred while communicating with the host.".into(),
        ChallengeError::Content => {
            "An error occurred while parsing the response from the host.".into()
        }
    }
}

fn secret(error: SecretError) -> &'static str {
    match error {
        SecretError::Malformed => "The verification secret is malformed",
        SecretError::Invalid => "The verification secret is invalid",
        SecretError::Expired => "The verification secret has expired",
        SecretError::OtherHostname => "The verification secret is for a different hostname",
    }
}
