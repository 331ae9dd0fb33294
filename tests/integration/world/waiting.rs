//! Waiting for what must happen.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// What has not happened after this long does not happen.
const HAPPENS_WITHIN: Duration = Duration::from_secs(15);

const ASKED_EVERY: Duration = Duration::from_millis(5);

/// A change by another process counts within a second, whose beginning nobody knows; the rest is for a
/// busy machine.
const COUNTS_WITHIN: Duration = Duration::from_secs(3);

/// Asks until there is an answer; `event` is what a failure is called.
pub(crate) async fn until<T>(event: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(HAPPENS_WITHIN, event, ask).await
}

/// The same for what a command changed just now: it fails when that takes much longer than the second in which
/// it must count.
pub(crate) async fn until_it_counts<T>(event: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(COUNTS_WITHIN, event, ask).await
}

async fn within<T>(limit: Duration, event: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(ASKED_EVERY).await;
        }
    };
    match timeout(limit, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("this did not happen in time: {event}"),
    }
}
