//! What the sandbox tells, as values: one for a person and for a program.

use serde::Serialize;
use serde_json::Value;

use crate::{
    sandbox::{remote_server::RemoteServer, surroundings::Surroundings},
    server::Server,
};

/// Everything the demonstration showed.
#[derive(Serialize)]
pub(super) struct Report {
    /// Whether every step went as it should.
    pub(super) ok: bool,
    /// The bouncer's address for chat servers.
    pub(super) bouncer_url: String,
    /// The bouncer's metrics.
    pub(super) metrics_url: Option<String>,
    /// Where the push services are controlled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) control_url: Option<String>,
    /// The file with the authority that vouches for the bouncer.
    pub(super) authority_file: String,
    /// The demo server's credentials, good only here.
    pub(super) org_id: String,
    /// The same.
    pub(super) org_key: String,
    /// The key an app is built with to encrypt for this bouncer, good only here.
    pub(super) public_key: String,
    /// What happened, in order.
    pub(super) steps: Vec<Step>,
}

/// One request of the demo server, and what came of it.
#[derive(Serialize)]
pub(super) struct Step {
    /// What the server wanted, for a person.
    pub(super) title: &'static str,
    /// The path, after `/api/v1/remotes/`.
    pub(super) path: &'static str,
    /// Whether it went as it should.
    pub(super) ok: bool,
    /// The bouncer's status; 0 when it did not answer.
    pub(super) status: u16,
    /// How long the answer took, in milliseconds.
    pub(super) milliseconds: u128,
    /// The bouncer's answer, or why there was none.
    pub(super) answer: Value,
    /// What reached the phones.
    pub(super) received: Vec<Received>,
}

/// What one phone received.
#[derive(Serialize)]
pub(super) struct Received {
    /// Which phone.
    pub(super) phone: &'static str,
    /// What kind of notification it is: `message`, `remove` or `test`.
    pub(super) event: String,
    /// What a person sees.
    pub(super) text: String,
    /// The payload as the phone got it.
    pub(super) payload: Value,
    /// Whether the phone could read it.
    pub(super) readable: bool,
    /// What the phone found in it, if it was encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decrypted: Option<Value>,
}

impl Report {
    pub(super) fn new(
        steps: Vec<Step>,
        public_key: String,
        remote_server: &RemoteServer,
        server: &Server,
        surroundings: &Surroundings,
    ) -> Self {
        Self {
            ok: steps.iter().all(|step| step.ok),
            bouncer_url: format!("https://{}", server.public_address()),
            metrics_url: server
                .operator_address()
                .map(|address| format!("http://{address}/metrics")),
            control_url: None,
            authority_file: surroundings.authority_file().display().to_string(),
            org_id: remote_server.org_id.clone(),
            org_key: remote_server.org_key.clone(),
            public_key,
            steps,
        }
    }
}
