//! Load over kept connections, and how long its answers take.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;
use tokio::time::Instant;

use crate::world::{ChatServer, Client};

/// How long answers took, the quickest first.
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "something was measured");
        times.sort_unstable();
        Self(times)
    }

    /// What so many of a hundred stay below.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent).div_ceil(100).clamp(1, self.0.len()) - 1]
    }

    /// For people.
    pub(super) fn in_words(&self) -> String {
        let millis = |percent| self.percentile(percent).as_secs_f64() * 1000.0;
        format!("p50 {:.0} ms, p99 {:.0} ms, {} answers", millis(50), millis(99), self.0.len())
    }
}

/// Sends a notification over the client's connection: the status, and how long the answer took.
///
/// # Errors
///
/// When there is no answer, as text for people.
pub(super) async fn notify(
    client: &mut Client,
    authorization: &str,
    body: String,
) -> Result<(u16, Duration), String> {
    let request = Request::post("/api/v1/remotes/push/notify")
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body))
        .unwrap();
    let began = Instant::now();
    let answer = client.send(request).await?;
    Ok((answer.status, began.elapsed()))
}

/// The same for a notification that is taken.
pub(super) async fn notified(client: &mut Client, server: &ChatServer, body: &Value) -> Duration {
    let answer = notify(client, &server.authorization(), body.to_string()).await;
    let (status, took) = answer.unwrap();
    assert_eq!(status, 200);
    took
}

/// Prints how long the notifications of a scenario took until now.
pub(super) fn tell_times(scenario: &str, server: &ChatServer) {
    tell(&format!("{scenario}: {}", Times::of(server.times()).in_words()));
}

/// Prints what was measured, where `--no-capture` or a failure shows it.
#[expect(clippy::print_stdout, reason = "it is what the test is run for")]
pub(super) fn tell(line: &str) {
    println!("{line}");
}
