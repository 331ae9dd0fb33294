//! Waiting for what must happen.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// What has not happened after this long does not happen.
const HAPPENS_WITHIN: Duration = Duration::from_secs(15);

const ASKED_EVERY: Duration = Duration::from_millis(5);

/// Asks until there is an answer; `event` is what a failure is called.
pub(crate) async fn until<T>(event: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(ASKED_EVERY).await;
        }
    };
    match timeout(HAPPENS_WITHIN, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("this did not happen in time: {event}"),
    }
}
