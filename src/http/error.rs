//! Every answer that is not success: the one place that knows statuses, codes and public texts.
//!
//! Texts are Zulip's, where a chat server shows or matches them. What is logged of a failure is another
//! text, and is logged where the failure is handled.

use std::{borrow::Cow, time::Duration};

use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::answer::{self, Answer};
use crate::{
    analytics::UploadError,
    dispatch::DispatchError,
    domain::{device::DeviceTokenError, json_object::JsonObjectError},
    metrics::RejectedReason,
    providers::FcmMessageError,
    registration::{EmailRefusal, RegistrationError},
    registry::RegistryError,
};

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
    /// A server before 8.0 may not push.
    PlanDisallowsOldServer,
    /// The server or realm may not push, for this reason.
    PlanDisallows(String),
    /// A test notification was asked for a device we do not hold.
    UnknownDevice,
    /// A server was not registered.
    Registration(RegistrationError),
    /// The path is none of ours.
    NotFound,
    /// The path is ours, and what it is for is not offered here.
    NotOffered,
    /// The method is none of the path's.
    MethodNotAllowed(&'static [&'static str]),
    /// The body is longer than the endpoint takes.
    PayloadTooLarge,
    /// The path and query are too long.
    UriTooLong,
    /// The body did not arrive in time.
    BodyTimeout,
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

/// The code of most refusals.
const BAD_REQUEST: &str = "BAD_REQUEST";

const DEACTIVATED: &str =
    "The mobile push notification service registration for your server has been deactivated";

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
            Self::PlanDisallowsOldServer | Self::PlanDisallows(_) => RejectedReason::Plan,
            Self::MissingParameter(_)
            | Self::Invalid(_)
            | Self::MalformedJson
            | Self::MalformedPayload
            | Self::BodyTimeout
            | Self::BodyIncomplete => RejectedReason::InvalidPayload,
            Self::PayloadTooLarge | Self::UriTooLong => RejectedReason::TooLarge,
            Self::RealmMismatch => RejectedReason::RealmMismatch,
            Self::Overloaded => RejectedReason::Overloaded,
            Self::MissingAuthorization
            | Self::InvalidAuthorization
            | Self::NotBasic
            | Self::PersonalKey
            | Self::UnknownDevice
            | Self::Registration(_)
            | Self::NotFound
            | Self::NotOffered
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
            Self::BodyTimeout | Self::BodyIncomplete => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }

    fn parts(&self) -> (StatusCode, Option<&'static str>, Cow<'static, str>) {
        use StatusCode as S;
        let unauthorized = |text: Cow<'static, str>| (S::UNAUTHORIZED, Some("UNAUTHORIZED"), text);
        let bad_request = |text: Cow<'static, str>| (S::BAD_REQUEST, Some(BAD_REQUEST), text);
        match self {
            Self::MissingAuthorization => {
                unauthorized("Missing authorization header for basic auth".into())
            }
            Self::InvalidAuthorization => {
                unauthorized("Invalid authorization header for basic auth".into())
            }
            Self::NotBasic => {
                bad_request("This endpoint requires HTTP basic authentication.".into())
            }
            Self::PersonalKey => bad_request("Must validate with valid Zulip server API key".into()),
            Self::UnknownServer(role) => unauthorized(
                format!("Zulip server auth failure: {role} is not registered -- did you run `manage.py register_server`?").into(),
            ),
            Self::WrongKey(role) => unauthorized(wrong_key(role).into()),
            Self::Deactivated => unauthorized(DEACTIVATED.into()),
            Self::TooManyFailures(_) | Self::TooManyRequests(_) | Self::RateLimited(_) => (
                S::TOO_MANY_REQUESTS,
                Some("RATE_LIMIT_HIT"),
                "API usage exceeded rate limit".into(),
            ),
            Self::MissingParameter(name) => (
                S::BAD_REQUEST,
                Some("REQUEST_VARIABLE_MISSING"),
                format!("Missing '{name}' argument").into(),
            ),
            Self::Invalid(text) => bad_request(text.clone()),
            Self::MalformedJson => bad_request("Malformed JSON".into()),
            Self::MalformedPayload => bad_request("Malformed payload".into()),
            Self::RealmMismatch => (
                S::FORBIDDEN,
                Some("REMOTE_REALM_SERVER_MISMATCH_ERROR"),
                "Your organization is registered to a different Zulip server. Please contact Zulip support for assistance in resolving this issue.".into(),
            ),
            Self::PlanDisallowsOldServer => (
                S::BAD_REQUEST,
                Some("INVALID_ZULIP_SERVER"),
                "Your plan doesn't allow sending push notifications.".into(),
            ),
            Self::PlanDisallows(reason) => (
                S::BAD_REQUEST,
                Some("PUSH_NOTIFICATIONS_DISALLOWED"),
                format!("Your plan doesn't allow sending push notifications. Reason provided by the server: {reason}").into(),
            ),
            Self::UnknownDevice => (
                S::BAD_REQUEST,
                Some("INVALID_REMOTE_PUSH_DEVICE_TOKEN"),
                "Device not recognized by the push bouncer".into(),
            ),
            Self::Registration(error) => registration(error),
            Self::NotFound => (S::NOT_FOUND, Some("NOT_FOUND"), "Not Found".into()),
            Self::NotOffered => {
                (S::NOT_FOUND, Some("NOT_FOUND"), "This push bouncer does not offer this yet.".into())
            }
            // The reference gives no code here.
            Self::MethodNotAllowed(_) => (S::METHOD_NOT_ALLOWED, None, "Method Not Allowed".into()),
            Self::PayloadTooLarge => {
                (S::PAYLOAD_TOO_LARGE, Some("PAYLOAD_TOO_LARGE"), "Payload too large".into())
            }
            Self::UriTooLong => (S::URI_TOO_LONG, Some("URI_TOO_LONG"), "URI too long".into()),
            Self::BodyTimeout => {
                (S::REQUEST_TIMEOUT, Some("REQUEST_TIMEOUT"), "The request did not arrive in time".into())
            }
            Self::BodyIncomplete => bad_request("The request broke off".into()),
            Self::Overloaded => {
                (S::SERVICE_UNAVAILABLE, Some("OVERLOADED"), "Too many requests at once; please try again".into())
            }
            Self::Timeout => {
                (S::SERVICE_UNAVAILABLE, Some("TIMEOUT"), "The request took too long; please try again".into())
            }
            Self::Unavailable => {
                (S::SERVICE_UNAVAILABLE, Some("UNAVAILABLE"), "Temporarily unavailable; please try again".into())
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, None, "Internal server error".into()),
        }
    }

    /// What stands in the body besides text and code.
    fn extra(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::MissingParameter(name) => vec![("var_name", (*name).into())],
            Self::RateLimited(wait) | Self::TooManyRequests(wait) | Self::TooManyFailures(wait) => {
                vec![("retry-after", wait.as_secs_f64().into())]
            }
            Self::MethodNotAllowed(allowed) => {
                vec![("allowed_methods", Value::from(allowed.to_vec()))]
            }
            Self::Registration(RegistrationError::WrongKey(uuid)) => {
                vec![("role", uuid.to_string().into())]
            }
            Self::Registration(RegistrationError::HostnameInUse(hostname)) => {
                vec![("hostname", hostname.clone().into())]
            }
            Self::Registration(RegistrationError::Email(refusal)) => {
                vec![("email_reason", email_reason(refusal).into_owned().into())]
            }
            _ => Vec::new(),
        }
    }
}

fn registration(
    error: &RegistrationError,
) -> (StatusCode, Option<&'static str>, Cow<'static, str>) {
    use RegistrationError as E;
    let bad_request = |text: Cow<'static, str>| (StatusCode::BAD_REQUEST, Some(BAD_REQUEST), text);
    match error {
        E::HostnameComponents(text) => bad_request(
            format!("{text} contains invalid components (e.g., path, query, fragment).").into(),
        ),
        E::Hostname(text) => bad_request(format!("{text} is not a valid hostname").into()),
        // The recorded reference has one text less telling for this case; newer ones have the reason too.
        E::Email(EmailRefusal::Example) => bad_request("Invalid email address.".into()),
        E::Email(refusal) => bad_request(email_reason(refusal)),
        E::Id => bad_request("Invalid UUID".into()),
        E::WrongKey(uuid) => (
            StatusCode::BAD_REQUEST,
            Some("INVALID_ZULIP_SERVER"),
            wrong_key(&uuid.to_string()).into(),
        ),
        E::Deactivated => (StatusCode::UNAUTHORIZED, Some("REALM_DEACTIVATED"), DEACTIVATED.into()),
        E::HostnameInUse(hostname) => (
            StatusCode::BAD_REQUEST,
            Some("HOSTNAME_ALREADY_IN_USE_BOUNCER_ERROR"),
            format!("A server with hostname {hostname} already exists").into(),
        ),
        E::Registry(_) => ApiError::Unavailable.parts(),
    }
}

fn wrong_key(role: &str) -> String {
    format!("Zulip server auth failure: key does not match role {role}")
}

fn email_reason(refusal: &EmailRefusal) -> Cow<'static, str> {
    match refusal {
        EmailRefusal::Syntax => "Enter a valid email address.".into(),
        EmailRefusal::Disposable => "Please use your real email address.".into(),
        EmailRefusal::Example => "example.com is not a valid email domain.".into(),
        EmailRefusal::NoMail(domain) => {
            format!("{domain} is invalid because it does not have any MX records").into()
        }
        EmailRefusal::NoDomain(domain) => format!("{domain} does not exist").into(),
    }
}

/// Rounded up: at the second that is named, it is true.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        tracing::error!(event = "database.failed", %error, "a request could not be served");
        Self::Unavailable
    }
}

impl From<RegistrationError> for ApiError {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Registry(error) => error.into(),
            other => Self::Registration(other),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::DuplicateRealm => Self::invalid("Duplicate registration detected."),
            UploadError::Registry(error) => error.into(),
        }
    }
}

impl From<DispatchError> for ApiError {
    fn from(error: DispatchError) -> Self {
        match error {
            DispatchError::Registry(error) => error.into(),
            DispatchError::UnknownDevice => Self::UnknownDevice,
            DispatchError::NothingToSend => {
                Self::invalid("request[\"apns_payload\"][\"custom\"] is not a dict")
            }
            DispatchError::Message(FcmMessageError::Priority(repr)) => {
                Self::Invalid(format!("Invalid GCM option to bouncer: priority {repr}").into())
            }
            DispatchError::Message(FcmMessageError::Options(json)) => {
                Self::Invalid(format!("Invalid GCM options to bouncer: {json}").into())
            }
            DispatchError::Message(FcmMessageError::Value(_)) => Self::MalformedJson,
        }
    }
}

impl From<DeviceTokenError> for ApiError {
    fn from(error: DeviceTokenError) -> Self {
        Self::invalid(match error {
            DeviceTokenError::Length => "Empty or invalid length token",
            DeviceTokenError::NotHexadecimal => "Invalid APNS token",
            DeviceTokenError::Nul => "token contains an invalid character",
        })
    }
}

impl From<JsonObjectError> for ApiError {
    fn from(error: JsonObjectError) -> Self {
        match error {
            JsonObjectError::NotJson => Self::MalformedJson,
            JsonObjectError::NotAnObject => {
                Self::invalid("Invalid request: Input should be an object")
            }
        }
    }
}
