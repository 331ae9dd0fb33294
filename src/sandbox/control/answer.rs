//! Answers one request to the control port.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Controlled, guard};
use crate::sandbox::faults::{Cut, Goaway, Reset, Settings};

/// A document of faults takes less than one of these.
const BODY_LIMIT: usize = 64 << 10;
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Requests on one page when the caller names no number, and at most.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 1000;

/// A request that is not done, with its status and a sentence.
struct Refusal(StatusCode, String);

type Answer = Result<Value, Refusal>;

/// Does what a request asks for.
pub(super) async fn answer(
    fakes: &[(&'static str, Arc<dyn Controlled>)],
    request: Request<Incoming>,
) -> Response<Bytes> {
    let (status, value) = match act(fakes, request).await {
        Ok(value) => (StatusCode::OK, value),
        Err(Refusal(status, sentence)) => (status, json!({ "error": sentence })),
    };
    let mut response = Response::new(Bytes::from(format!("{value:#}\n")));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn act(fakes: &[(&'static str, Arc<dyn Controlled>)], request: Request<Incoming>) -> Answer {
    if let Some(sentence) = guard::refusal(request.headers()) {
        return Err(Refusal(StatusCode::FORBIDDEN, sentence.to_owned()));
    }
    let (head, body) = request.into_parts();
    let found = fakes.iter().find_map(|(prefix, fake)| {
        Some((fake, head.uri.path().strip_prefix(prefix)?.strip_prefix('/')?))
    });
    let Some((fake, name)) = found else { return Err(no_path(head.uri.path())) };
    let allowed: &[Method] = match name {
        "requests" | "counters" => &[Method::GET],
        "faults" => &[Method::GET, Method::PUT],
        "reset" | "goaway" | "reset-streams" | "cut" | "close-connections" | "revoke" => {
            &[Method::POST]
        }
        _ => return Err(no_path(head.uri.path())),
    };
    if !allowed.contains(&head.method) {
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let sentence = format!("`/{name}` takes {}, not {}.", names.join(" or "), head.method);
        return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, sentence));
    }
    let body = timeout(BODY_DEADLINE, Limited::new(body, BODY_LIMIT).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            let sentence = format!("The body has more than {BODY_LIMIT} bytes, or broke off.");
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, sentence));
        }
        Err(_) => {
            let sentence = "The body did not come in time.".to_owned();
            return Err(Refusal(StatusCode::REQUEST_TIMEOUT, sentence));
        }
    };
    let fake = &**fake;
    let faults = fake.faults();
    match name {
        "requests" => return requests(fake, head.uri.query().unwrap_or_default()),
        "counters" => return Ok(json!(fake.counters())),
        "faults" if head.method == Method::PUT => {
            let document: Document = read(&body)?;
            fake.set_streams(document.streams);
            faults.set(&document.faults);
        }
        "faults" => {}
        "reset" => fake.reset(),
        "goaway" => faults.goaway(read::<Goaway>(&body)?),
        "reset-streams" => faults.reset(read::<Reset>(&body)?),
        "cut" => faults.cut(read::<Cut>(&body)?),
        "close-connections" => faults.close_connections(),
        _ => match read::<Revoke>(&body)?.how {
            How::Revoked => faults.revoke_tokens(),
            How::Expired => faults.expire_tokens(),
        },
    }
    Ok(json!(Document { streams: Some(fake.streams()), faults: faults.settings() }))
}

/// The knobs of a fake and, beside them, its limit of streams.
#[derive(Serialize)]
struct Document {
    /// None means as many as at the start.
    streams: Option<u32>,
    #[serde(flatten)]
    faults: Settings,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A flattened structure cannot refuse what it does not know.
        let mut members = serde_json::Map::deserialize(deserializer)?;
        let streams = members.remove("streams").unwrap_or(Value::Null);
        let error = <D::Error as serde::de::Error>::custom::<serde_json::Error>;
        Ok(Self {
            streams: serde_json::from_value(streams).map_err(error)?,
            faults: serde_json::from_value(Value::Object(members)).map_err(error)?,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Revoke {
    how: How,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    #[default]
    Revoked,
    Expired,
}

fn requests(fake: &dyn Controlled, query: &str) -> Answer {
    let (mut after, mut limit) = (0, PAGE);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = value.parse::<u64>().map_err(|_| bad(&format!("`{name}` is no number")))?;
        match &*name {
            "after" => after = number,
            "limit" => limit = usize::try_from(number).unwrap_or(usize::MAX).min(LONGEST_PAGE),
            _ => return Err(bad(&format!("`{name}` is neither `after` nor `limit`"))),
        }
    }
    let page = fake.page(after, limit);
    let last = page.entries.last().map_or(after, |&(number, _)| number);
    let requests: Vec<Value> = page
        .entries
        .into_iter()
        .map(|(number, mut entry)| {
            entry["number"] = number.into();
            entry
        })
        .collect();
    Ok(json!({ "requests": requests, "last": last, "oldest": page.oldest }))
}

/// Reads a body; an empty one is an empty object.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| bad(&format!("The body does not fit: {error}")))
}

fn bad(what: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, format!("{what}."))
}

fn no_path(path: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("There is nothing at `{path}`; see docs/SANDBOX.md."))
}
