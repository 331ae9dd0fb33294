//! Statuses, codes and public texts.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::Value;

use super::{ApiError, transfer};
use crate::registration::{EmailRefusal, RegistrationError};

/// The code of most refusals.
pub(super) const BAD_REQUEST: &str = "BAD_REQUEST";

const DEACTIVATED: &str =
    "The mobile push notification service registration for your server has been deactivated";

impl ApiError {
    /// Status, code and text.
    pub(super) fn parts(&self) -> (StatusCode, Option<&'static str>, Cow<'static, str>) {
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
            Self::UnknownRealm => (
                S::FORBIDDEN,
                Some("MISSING_REMOTE_REALM"),
                "Organization not registered".into(),
            ),
            Self::UnknownPublicKey => (
                S::BAD_REQUEST,
                Some("INVALID_BOUNCER_PUBLIC_KEY"),
                "Invalid bouncer_public_key".into(),
            ),
            Self::RequestExpired => {
                (S::BAD_REQUEST, Some("REQUEST_EXPIRED"), "Request expired".into())
            }
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
            // The reference has no text here; its command line prints none either.
            Self::PlanGoesOn => bad_request("".into()),
            Self::UnknownDevice => (
                S::BAD_REQUEST,
                Some("INVALID_REMOTE_PUSH_DEVICE_TOKEN"),
                "Device not recognized by the push bouncer".into(),
            ),
            Self::Registration(error) => registration(error),
            Self::Transfer(error) => transfer::parts(error),
            Self::TransfersOff => (
                S::NOT_FOUND,
                Some("NOT_FOUND"),
                "This push bouncer does not transfer registrations.".into(),
            ),
            Self::NotFound => (S::NOT_FOUND, Some("NOT_FOUND"), "Not Found".into()),
            // The reference gives no code here.
            Self::MethodNotAllowed(_) => (S::METHOD_NOT_ALLOWED, None, "Method Not Allowed".into()),
            Self::PayloadTooLarge => {
                (S::PAYLOAD_TOO_LARGE, Some("PAYLOAD_TOO_LARGE"), "Payload too large".into())
            }
            Self::UriTooLong => (S::URI_TOO_LONG, Some("URI_TOO_LONG"), "URI too long".into()),
            Self::BodyTimeout => {
                (S::REQUEST_TIMEOUT, Some("REQUEST_TIMEOUT"), "The request did not arrive in time".into())
            }
            Self::Malformed => bad_request("Malformed request".into()),
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
    pub(super) fn extra(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::MissingParameter(name) => vec![("var_name", (*name).into())],
            Self::RateLimited(wait) | Self::TooManyRequests(wait) | Self::TooManyFailures(wait) => {
                vec![("retry-after", wait.as_secs_f64().into())]
            }
            Self::PlanGoesOn => {
                vec![("error_description", "server deactivation with existing plan".into())]
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
        E::Closed => bad_request(
            "This push bouncer takes no new servers. Please ask its operator for access.".into(),
        ),
        E::HostnameNotAllowed(hostname) => bad_request(
            format!("Servers at {hostname} may not register with this push bouncer. Please ask its operator for access.").into(),
        ),
        E::Busy => ApiError::Overloaded.parts(),
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
