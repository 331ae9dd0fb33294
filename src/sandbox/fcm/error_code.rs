//! Google's table of error codes with the JSON that goes with each.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// Why Google refuses a message: an entry of its
/// [table](https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode), or of the errors
/// common to all its services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Google's word for it.
    pub name: &'static str,
    /// The HTTP status of the answer.
    pub http_status: u16,
    /// The `status` of the answer.
    pub status: &'static str,
    /// The `message` of the answer.
    pub message: &'static str,
    /// Whether the answer has an `FcmError` detail: the errors common to all services have none.
    pub detail: bool,
}

impl ErrorCode {
    /// What may be wrong with a message or its token.
    pub const INVALID_ARGUMENT: Self = Self::of_fcm(
        "INVALID_ARGUMENT",
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
    );
    /// The app is gone from the device.
    pub const UNREGISTERED: Self =
        Self::of_fcm("UNREGISTERED", 404, "NOT_FOUND", "Requested entity was not found.");
    /// The token belongs to another project.
    pub const SENDER_ID_MISMATCH: Self =
        Self::of_fcm("SENDER_ID_MISMATCH", 403, "PERMISSION_DENIED", "SenderId mismatch");
    /// Too much for the project or the device.
    pub const QUOTA_EXCEEDED: Self = Self::of_fcm(
        "QUOTA_EXCEEDED",
        429,
        "RESOURCE_EXHAUSTED",
        "Resource has been exhausted (e.g. check quota).",
    );
    /// The service is overloaded.
    pub const UNAVAILABLE: Self =
        Self::of_fcm("UNAVAILABLE", 503, "UNAVAILABLE", "The service is currently unavailable.");
    /// The service fails.
    pub const INTERNAL: Self =
        Self::of_fcm("INTERNAL", 500, "INTERNAL", "Internal error encountered.");
    /// The project's credentials for Apple or for Web Push are bad.
    pub const THIRD_PARTY_AUTH_ERROR: Self = Self::of_fcm(
        "THIRD_PARTY_AUTH_ERROR",
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
    );
    /// Nothing more is known.
    pub const UNSPECIFIED_ERROR: Self =
        Self::of_fcm("UNSPECIFIED_ERROR", 500, "UNKNOWN", "Unknown Error.");
    /// Our access token is missing, unknown, expired or revoked.
    pub const UNAUTHENTICATED: Self = Self::of_all(
        "UNAUTHENTICATED",
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
         cookie or other valid authentication credential. See \
         https://developers.google.com/identity/sign-in/web/devconsole-project.",
    );
    /// The service account may not send for this project.
    pub const PERMISSION_DENIED: Self = Self::of_all(
        "PERMISSION_DENIED",
        403,
        "Permission 'cloudmessaging.messages.create' denied on resource (or it may not exist).",
    );
    /// No such project or path.
    pub const NOT_FOUND: Self = Self::of_all("NOT_FOUND", 404, "Requested entity was not found.");
    /// Too much, said by the front end.
    pub const RESOURCE_EXHAUSTED: Self =
        Self::of_all("RESOURCE_EXHAUSTED", 429, "Resource has been exhausted (e.g. check quota).");

    /// The whole table.
    pub const ALL: &[Self] = &[
        Self::UNSPECIFIED_ERROR,
        Self::INVALID_ARGUMENT,
        Self::UNREGISTERED,
        Self::SENDER_ID_MISMATCH,
        Self::QUOTA_EXCEEDED,
        Self::UNAVAILABLE,
        Self::INTERNAL,
        Self::THIRD_PARTY_AUTH_ERROR,
        Self::UNAUTHENTICATED,
        Self::PERMISSION_DENIED,
        Self::NOT_FOUND,
        Self::RESOURCE_EXHAUSTED,
    ];

    /// The entry of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name == name)
    }

    const fn of_fcm(
        name: &'static str,
        http_status: u16,
        status: &'static str,
        message: &'static str,
    ) -> Self {
        Self { name, http_status, status, message, detail: true }
    }

    const fn of_all(name: &'static str, http_status: u16, message: &'static str) -> Self {
        Self { name, http_status, status: name, message, detail: false }
    }
}

/// A refusal: an error code with what this request adds to it.
pub(super) struct Refusal {
    pub(super) http_status: u16,
    /// What the log and the counters call it.
    pub(super) name: Cow<'static, str>,
    status: &'static str,
    message: Cow<'static, str>,
    details: Vec<Value>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        let mut details = Vec::new();
        if code.detail {
            details.push(fcm_error(code.name));
        }
        if code == ErrorCode::QUOTA_EXCEEDED {
            // "An extension of type google.rpc.QuotaFailure is returned to specify which quota was
            // exceeded."
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{ "subject": "device", "description": "Message rate exceeded" }],
            }));
        }
        Self {
            http_status: code.http_status,
            name: Cow::Borrowed(code.name),
            status: code.status,
            message: Cow::Borrowed(code.message),
            details,
        }
    }
}

impl Refusal {
    /// An error code that is not in the table.
    pub(super) fn unknown(name: &str) -> Self {
        Self {
            http_status: 400,
            name: Cow::Owned(name.to_owned()),
            status: "FAILED_PRECONDITION",
            message: Cow::Borrowed("Precondition check failed."),
            details: vec![fcm_error(name)],
        }
    }

    /// A request whose JSON does not fit the schema: the front end refuses it, so there is no
    /// `FcmError`.
    pub(super) fn schema(field: &str, description: String) -> Self {
        let details = vec![field_violation(field, &description)];
        Self { message: Cow::Owned(description), details, ..Self::invalid() }
    }

    /// A message that fits the schema but cannot be sent.
    pub(super) fn message(field: &str, description: String) -> Self {
        let details = vec![fcm_error("INVALID_ARGUMENT"), field_violation(field, &description)];
        Self { message: Cow::Owned(description), details, ..Self::invalid() }
    }

    /// Adds why a credential was refused.
    pub(super) fn because(mut self, reason: &str) -> Self {
        self.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": {
                "service": "fcm.googleapis.com",
                "method": "google.firebase.fcm.v1.FcmService.SendMessage",
            },
        }));
        self
    }

    /// The answer.
    pub(super) fn response(&self) -> Response<Bytes> {
        let mut error = json!({
            "code": self.http_status,
            "message": self.message,
            "status": self.status,
        });
        if !self.details.is_empty() {
            error["details"] = Value::Array(self.details.clone());
        }
        let mut response = json_response(self.http_status, json!({ "error": error }).to_string());
        if self.http_status == 401 {
            let challenge =
                HeaderValue::from_static(r#"Bearer realm="https://accounts.google.com/""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    fn invalid() -> Self {
        Self { details: Vec::new(), ..ErrorCode::INVALID_ARGUMENT.into() }
    }
}

/// An answer of this status in JSON.
pub(super) fn json_response(status: u16, json: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(json));
    *response.status_mut() =
        StatusCode::from_u16(status).expect("the table of error codes holds valid statuses");
    let content_type = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

fn fcm_error(code: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
        "errorCode": code,
    })
}

fn field_violation(field: &str, description: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{ "field": field, "description": description }],
    })
}
