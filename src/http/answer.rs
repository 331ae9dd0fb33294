//! How an answer looks: Zulip's envelope of `result` and `msg`, as JSON.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::rate_limit::Decision;

/// An answer on its way to the caller.
pub type Answer = Response<Body>;

/// What an endpoint has to say when all went well.
pub struct Success {
    /// The members of its own, as a JSON object; empty when there are none.
    members: Vec<u8>,
}

impl Success {
    /// Success, and nothing more to say.
    #[must_use]
    pub fn empty() -> Self {
        Self { members: Vec::new() }
    }

    /// Success with the members of `data`, which is a struct or a map.
    pub fn with(data: &impl Serialize) -> Self {
        let members = serde_json::to_vec(data).expect("an endpoint's answer is a JSON object");
        Self { members }
    }

    /// The answer: 200, `result`, `msg`, the endpoint's members, and the names of parameters that
    /// nobody asked for.
    #[must_use]
    pub fn into_answer(self, ignored: &[String]) -> Answer {
        let mut body = Vec::with_capacity(self.members.len() + 128);
        body.extend_from_slice(b"{\"result\":\"success\",\"msg\":\"\"");
        let members =
            self.members.strip_prefix(b"{").and_then(|members| members.strip_suffix(b"}"));
        if let Some(members) = members.filter(|members| !members.is_empty()) {
            body.push(b',');
            body.extend_from_slice(members);
        }
        if !ignored.is_empty() {
            body.extend_from_slice(b",\"ignored_parameters_unsupported\":");
            serde_json::to_writer(&mut body, ignored).expect("a list of texts is JSON");
        }
        body.extend_from_slice(b"}\n");
        with_type(StatusCode::OK, body)
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let mut text = serde_json::to_vec(body).expect("an answer is JSON");
    text.push(b'\n');
    with_type(status, text)
}

/// The answer to `OPTIONS`.
pub(super) fn options(allowed: &[&str]) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(header::ALLOW, allow(allowed));
    answer
}

/// The value of `Allow`.
pub(super) fn allow(allowed: &[&str]) -> HeaderValue {
    HeaderValue::try_from(allowed.join(", ")).expect("methods are ASCII")
}

fn with_type(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The headers of every answer to an authenticated endpoint: no cache keeps it, and its language is
/// English.
pub(super) fn set_private_headers(headers: &mut HeaderMap) {
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("max-age=0, no-cache, no-store, must-revalidate, private"),
    );
    headers.insert(header::EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"));
}

/// Where a server stands with its limit: Zulip's headers, and those of the IETF
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>).
pub(super) fn set_limit_headers(
    headers: &mut HeaderMap,
    decision: Decision,
    (limit, window): (u32, u64),
    now: i64,
) {
    let (remaining, reset) = match decision {
        Decision::Allowed { remaining, reset, .. } => (remaining, reset),
        Decision::Refused { reset, .. } => (0, reset),
    };
    let text = |text: String| HeaderValue::try_from(text).expect("numbers and signs are ASCII");
    headers.insert("x-ratelimit-limit", limit.into());
    headers.insert("x-ratelimit-remaining", remaining.into());
    headers.insert("x-ratelimit-reset", reset.into());
    headers.insert("ratelimit-policy", text(format!("\"server\";q={limit};w={window}")));
    headers
        .insert("ratelimit", text(format!("\"server\";r={remaining};t={}", (reset - now).max(0))));
}
