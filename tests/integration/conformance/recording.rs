//! The recorded exchanges, as they stand in `tests/data/reference.jsonl`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::world::{Kind, Push};

/// The answer headers that are compared; all others are free.
pub(crate) const COMPARED_HEADERS: [&str; 3] = ["www-authenticate", "allow", "x-ratelimit-limit"];

/// One request and what the reference made of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) pre: Vec<Step>,
    pub(crate) request: Request,
    pub(crate) response: Response,
    /// The name later cases use, and the key of this answer that holds the value.
    #[serde(default)]
    pub(crate) capture: BTreeMap<String, String>,
    #[serde(default)]
    upstream: Vec<RecordedPush>,
    #[serde(default)]
    volatile: BTreeSet<String>,
}

/// Something to do before the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Step {
    /// Let so many seconds pass.
    Sleep { s: u64 },
    /// The remote server serves this secret for the transfer challenge.
    ServeSecret { secret: String, token: String },
    /// The remote server serves no secret any more.
    Unserve,
    /// Send one request `n` times, `c` at once.
    Burst { n: usize, c: usize, request: Box<Request> },
    /// Set this in storage.
    State { what: String },
}

/// A request; at most one of the three bodies is there.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The raw path with the query.
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// User name and password of Basic authentication.
    pub(crate) auth: Option<(String, String)>,
    pub(crate) body: Option<String>,
    body_b64: Option<String>,
    /// Before, unit, how often, after.
    body_repeat: Option<(String, String, usize, String)>,
}

/// What the reference answered.
#[derive(Debug, Deserialize)]
pub(crate) struct Response {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct RecordedPush {
    kind: Kind,
    token: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Value,
}

/// All that is compared of one exchange.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// None: an empty body.
    pub(crate) json: Option<Value>,
    /// What the push services receive, in any order and however often.
    pub(crate) pushes: Vec<Push>,
    /// Keys of the answer whose value may differ; `upstream.x` is the key `x` anywhere in a push.
    pub(crate) volatile: BTreeSet<String>,
}

/// When a plan ends in the recording, and when it does here: one that has ended already cannot be set to end.
const PLAN_ENDS: [&str; 2] = ["1827619200", "4983292800"];

/// All recorded cases, in order.
pub(crate) fn load() -> Vec<Case> {
    let [recorded, here] = PLAN_ENDS;
    values("reference.jsonl", &data("reference.jsonl").replace(recorded, here))
}

/// The values of `tests/data/{name}`, one JSON text a line.
pub(crate) fn lines<T: DeserializeOwned>(name: &str) -> Vec<T> {
    values(name, &data(name))
}

fn values<T: DeserializeOwned>(name: &str, text: &str) -> Vec<T> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{name}, line {}: {error}", number + 1))
        })
        .collect()
}

/// The text of `tests/data/{name}`.
pub(crate) fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Request {
    /// The body's bytes.
    pub(crate) fn body_bytes(&self) -> Vec<u8> {
        if let Some(body) = &self.body {
            body.clone().into_bytes()
        } else if let Some(body) = &self.body_b64 {
            BASE64_STANDARD.decode(body).expect("`body_b64` is base64")
        } else if let Some((before, unit, times, after)) = &self.body_repeat {
            [before.as_str(), &unit.repeat(*times), after].concat().into_bytes()
        } else {
            Vec::new()
        }
    }
}

impl Expected {
    /// What the recording holds.
    pub(crate) fn recorded(case: &Case) -> Self {
        let headers = COMPARED_HEADERS.iter().filter_map(|name| {
            case.response.headers.get(*name).map(|value| ((*name).to_owned(), value.clone()))
        });
        Self {
            status: case.response.status,
            headers: headers.collect(),
            json: case.response.json.clone(),
            pushes: case.upstream.iter().map(RecordedPush::push).collect(),
            volatile: case.volatile.clone(),
        }
    }
}

impl RecordedPush {
    fn push(&self) -> Push {
        Push {
            kind: self.kind,
            token: self.token.clone(),
            topic: self.headers.get("apns-topic").cloned(),
            expires: self.headers.contains_key("apns-expiration"),
            body: self.body.clone(),
        }
    }
}
