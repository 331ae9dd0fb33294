//! One request of an actor, and what is noted of its answer.

use std::sync::atomic::Ordering;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;
use tokio::time::Instant;

use super::Actor;
use crate::chaos::journal::Credentials;

pub(super) const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// What a node said.
pub(super) enum Said {
    Yes(Value),
    /// It is not known whether it was done.
    Nothing,
}

impl Actor {
    /// Sends a form.
    pub(super) async fn form(
        &mut self,
        node: usize,
        path: &str,
        authorization: Option<String>,
        fields: &[(&str, String)],
    ) -> Said {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.ask(node, path, authorization, FORM, form).await
    }

    /// Asks a node, as a chat server if there is an `authorization`.
    pub(super) async fn ask(
        &mut self,
        node: usize,
        path: &str,
        authorization: Option<String>,
        kind: &str,
        body: String,
    ) -> Said {
        self.requests += 1;
        let is_mine = authorization.as_ref().is_some_and(|it| *it == self.authorization());
        let mut request =
            Request::post(format!("/api/v1/remotes/{path}")).header(header::CONTENT_TYPE, kind);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Bytes::from(body)).unwrap();
        let run = self.shared.nodes[node].runs.load(Ordering::SeqCst);
        let (began, at) = (Instant::now(), self.shared.clock.now());
        let Ok(answer) = self.clients[node].send(request).await else {
            self.journal.unanswered += 1;
            return Said::Nothing;
        };
        self.journal.times.push((Instant::now(), began.elapsed()));
        match answer.status {
            200 => {
                if is_mine {
                    self.me.heard.insert((node, run), at);
                }
                Said::Yes(answer.json())
            }
            503 => {
                self.journal.put_off += 1;
                Said::Nothing
            }
            status => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                let who = &self.name;
                self.journal.untrue.push(format!("{who}: {path} at {node}: {status} {text}"));
                Said::Nothing
            }
        }
    }

    pub(super) fn authorization(&self) -> String {
        authorization(&self.me)
    }
}

pub(super) fn authorization(server: &Credentials) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", server.id, server.key)))
}
