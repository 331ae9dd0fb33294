//! Every answer that is not success: the one place that knows statuses, codes and public texts.
//!
//! Texts are Zulip's, where a chat server shows or matches them. What is logged of a failure is another
//! text, and is logged where the failure is handled.

mod causes;
mod transfer;
mod words;

use std::{borrow::Cow, time::Duration};

use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::answer::{self, Answer};
use crate::{metrics::RejectedReason, registration::RegistrationError, transfer::TransferError};

/// An answer that is not success.
#[derive(Debug)]
pub enum ApiError {
    /// There is no `Authorization` header.
    MissingAuthorization,
    /// The `Authorization` header cannot be read.
    InvalidAuthorization,
    /// The `Authorization` header is of another scheme.
    NotBasic,
    /// The user name is an e-mail address: somebody uses a person's key.
    PersonalKey,
    /// No server has this id.
    UnknownServer(String),
    /// The key is not this server's.
    WrongKey(String),
    /// The server was deactivated.
    Deactivated,
    /// Too many failed attempts came from here, or at this id.
    TooManyFailures(Duration),
    /// Too many requests came from this address.
    TooManyRequests(Duration),
    /// The server made more requests than it may.
    RateLimited(Duration),
    /// A form lacks a parameter.
    MissingParameter(&'static str),
    /// Something in the request is wrong; the text says what.
    Invalid(Cow<'static, str>),
    /// The body is not JSON.
    MalformedJson,
    /// The body is not UTF-8.
    MalformedPayload,
    /// The realm belongs to another server.
    RealmMismatch,
    /// Nobody registered the realm.
    UnknownRealm,
    /// A device's registration was sealed for a key that is not ours.
    UnknownPublicKey,
    /// A device's registration was made too long ago.
    RequestExpired,
    /// A server before 8.0 may not push.
    PlanDisallowsOldServer,
    /// The server or realm may not push, for this reason.
    PlanDisallows(Cow<'static, str>),
    /// The server may not be deactivated while a plan goes on.
    PlanGoesOn,
    /// A test notification was asked for a device we do not hold.
    UnknownDevice,
    /// A server was not registered.
    Registration(RegistrationError),
    /// A registration was not transferred.
    Transfer(TransferError),
    /// Registrations are not transferred here.
    TransfersOff,
    /// The path is none of ours.
    NotFound,
    /// The method is none of the path's.
    MethodNotAllowed(&'static [&'static str]),
    /// The body is longer than the endpoint takes.
    PayloadTooLarge,
    /// The path and query are too long.
    UriTooLong,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The head can be read in more than one way.
    Malformed,
    /// The body broke off.
    BodyIncomplete,
    /// As many requests as allowed are being worked on.
    Overloaded,
    /// The request took too long.
    Timeout,
    /// The database failed.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl ApiError {
    /// A refusal with this text.
    pub fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(text.into())
    }

    /// What metrics call it, where operators watch for it.
    fn rejected_reason(&self) -> Option<RejectedReason> {
        Some(match self {
            Self::UnknownServer(_) => RejectedReason::UnknownServer,
            Self::WrongKey(_) => RejectedReason::BadKey,
            Self::Deactivated => RejectedReason::Deactivated,
            Self::RateLimited(_) => RejectedReason::RateLimited,
            Self::TooManyFailures(_) | Self::TooManyRequests(_) => RejectedReason::AddressLimited,
            Self::PlanDisallowsOldServer | Self::PlanDisallows(_) | Self::PlanGoesOn => {
                RejectedReason::Plan
            }
            Self::MissingParameter(_)
            | Self::Invalid(_)
            | Self::MalformedJson
            | Self::MalformedPayload
            | Self::RequestExpired
            | Self::BodyTimeout
            | Self::BodyIncomplete
            | Self::Malformed => RejectedReason::InvalidPayload,
            Self::UnknownRealm => RejectedReason::UnknownRealm,
            Self::UnknownPublicKey => RejectedReason::UnknownPublicKey,
            Self::PayloadTooLarge | Self::UriTooLong => RejectedReason::TooLarge,
            Self::RealmMismatch => RejectedReason::RealmMismatch,
            Self::Overloaded => RejectedReason::Overloaded,
            Self::Transfer(error) => return transfer::rejected_reason(error),
            Self::MissingAuthorization
            | Self::InvalidAuthorization
            | Self::NotBasic
            | Self::PersonalKey
            | Self::UnknownDevice
            | Self::Registration(_)
            | Self::TransfersOff
            | Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::Timeout
            | Self::Unavailable
            | Self::Internal => return None,
        })
    }

    /// The answer.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        let (status, code, message) = self.parts();
        let mut body = Map::new();
        body.insert("result".to_owned(), "error".into());
        body.insert("msg".to_owned(), message.into_owned().into());
        for (key, value) in self.extra() {
            body.insert(key.to_owned(), value);
        }
        if let Some(code) = code {
            body.insert("code".to_owned(), code.into());
        }
        let mut answer = answer::json(status, &Value::Object(body));
        if let Some(reason) = self.rejected_reason() {
            // For whoever counts refusals.
            answer.extensions_mut().insert(reason);
        }
        let headers = answer.headers_mut();
        if status == StatusCode::UNAUTHORIZED && !matches!(self, Self::Registration(_)) {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"zulip\""),
            );
        }
        match self {
            Self::MethodNotAllowed(allowed) => {
                headers.insert(header::ALLOW, answer::allow(allowed));
            }
            Self::RateLimited(wait) | Self::TooManyRequests(wait) | Self::TooManyFailures(wait) => {
                headers.insert(header::RETRY_AFTER, whole_seconds(wait).into());
            }
            Self::Overloaded | Self::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::BodyTimeout | Self::Timeout | Self::BodyIncomplete | Self::Malformed => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }
}

/// Rounded up: at the second that is named, it is true.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
