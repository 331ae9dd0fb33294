//! Sends the recorded requests in order and collects what came of each.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Uri, header};
use tokio::time::{Instant, sleep};

use super::{
    comparison::observed,
    hosts::Hosts,
    nothing_read,
    recording::{Case, Expected, Request, Step},
    states,
    substitution::Captures,
};
use crate::world::{Client, LogPosition, Push, World};

/// How long expected pushes may arrive after the answer.
const PUSHES_WITHIN: Duration = Duration::from_secs(3);
const PUSHES_ASKED_EVERY: Duration = Duration::from_millis(5);

/// A replay in progress.
pub(crate) struct Replay<'world> {
    world: &'world World,
    hosts: &'world Hosts,
    client: Client,
    captures: Captures,
    position: LogPosition,
}

/// What came of one request: the exchange, or why there was no answer.
pub(crate) type Outcome = Result<Expected, String>;

impl<'world> Replay<'world> {
    /// A replay that has not begun.
    pub(crate) fn new(world: &'world World, hosts: &'world Hosts) -> Self {
        let position = nothing_read();
        Self { world, hosts, client: world.client(), captures: Captures::default(), position }
    }

    /// How much of what the push services received belongs to the cases so far.
    pub(crate) fn position(&self) -> LogPosition {
        self.position
    }

    /// Does the steps before the case, sends its request, and waits for its answer and pushes.
    pub(crate) async fn run(&mut self, case: &Case, expected: &Expected) -> Outcome {
        for step in &case.pre {
            self.prepare(step).await;
        }
        let request = self.captures.fill_request(&case.request);
        let answer = self.client.send(to_http(&request)).await;
        let pushes = self.pushes(&expected.pushes).await;
        let observed = observed(&answer?, pushes, &expected.volatile);
        self.captures.keep(&case.capture, observed.json.as_ref());
        Ok(observed)
    }

    async fn prepare(&mut self, step: &Step) {
        match step {
            Step::Sleep { s } => self.world.clock.advance(Duration::from_secs(*s)),
            Step::Burst { n, c, request } => self.burst(*n, *c, request).await,
            Step::ServeSecret { secret, token } => {
                self.hosts.proper.prepare_for_ever(&self.captures.fill(secret), token);
            }
            Step::State { what } => states::set(self.world, what).await,
            Step::Unserve => self.hosts.proper.forget(),
        }
    }

    /// Sends `request` `count` times over `at_once` connections; the answers do not matter.
    async fn burst(&mut self, count: usize, at_once: usize, request: &Request) {
        let request = &self.captures.fill_request(request);
        let senders = (0..at_once).map(|sender| {
            let mut client = self.world.client();
            async move {
                for _ in (sender..count).step_by(at_once) {
                    let _ = client.send(to_http(request)).await;
                }
            }
        });
        join_all(senders).await;
    }

    /// What arrived since the last case, waiting a little for what is expected.
    async fn pushes(&mut self, expected: &[Push]) -> Vec<Push> {
        let deadline = Instant::now() + PUSHES_WITHIN;
        let mut pushes = Vec::new();
        loop {
            pushes.extend(self.world.pushes_since(&mut self.position));
            let arrived = |expected: &Push| {
                let mut pushes = pushes.iter();
                pushes.any(|push| push.kind == expected.kind && push.token == expected.token)
            };
            if expected.iter().all(arrived) || Instant::now() >= deadline {
                return pushes;
            }
            sleep(PUSHES_ASKED_EVERY).await;
        }
    }
}

/// The request as the client sends it, byte for byte as recorded.
fn to_http(request: &Request) -> http::Request<Bytes> {
    let uri: Uri = request.path.parse().expect("a recorded path is a path");
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(uri);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if let Some((name, key)) = &request.auth {
        let credentials = BASE64_STANDARD.encode(format!("{name}:{key}"));
        builder = builder.header(header::AUTHORIZATION, format!("Basic {credentials}"));
    }
    builder.body(request.body_bytes().into()).expect("a recorded request is a request")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_keeps_its_path_and_gets_its_credentials() {
        let request: Request = serde_json::from_value(json!({
            "method": "POST", "path": "/api//x?y=%2F", "auth": ["id", "kéy"],
            "body_repeat": ["<", "ab", 3, ">"],
        }))
        .unwrap();
        let request = to_http(&request);
        assert_eq!(request.uri().to_string(), "/api//x?y=%2F");
        assert_eq!(request.headers()["authorization"], "Basic aWQ6a8OpeQ==");
        assert_eq!(request.body().as_ref(), b"<ababab>");
    }

    #[test]
    fn every_recorded_request_can_be_sent() {
        for case in super::super::recording::load() {
            to_http(&case.request);
        }
    }
}
