//! The limit of an authenticated server, on one node or over several.

use std::time::Duration;

use super::{Decision, shared_log::SharedLog, sliding_log::SlidingLog};
use crate::{
    clock::Clock,
    config::Rate,
    shared_state::{Away, SharedState},
};

/// The limit of each server. What nodes share decides; while Redis is away each node decides by what itself let
/// through.
pub struct ServerLimiter {
    own: SlidingLog,
    shared: Option<(SharedLog, SharedState)>,
}

impl ServerLimiter {
    /// A limiter that lets a request wait for at most `max_delay` rather than refuse it.
    #[must_use]
    pub fn new(clock: Clock, rate: Rate, max_delay: Duration, shared: Option<SharedState>) -> Self {
        let shared = shared
            .map(|shared| (SharedLog::new(shared.clone(), clock.clone(), rate, max_delay), shared));
        Self { own: SlidingLog::new(clock, rate, max_delay), shared }
    }

    /// How many requests there may be in one span.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.own.limit()
    }

    /// The span, in seconds.
    #[must_use]
    pub fn window_seconds(&self) -> u64 {
        self.own.window_seconds()
    }

    /// Decides on one request of a server now.
    ///
    /// # Errors
    ///
    /// When Redis is away, and nobody may be let in without it.
    pub async fn check(&self, server_id: i64) -> Result<Decision, Away> {
        let Some((log, shared)) = &self.shared else { return Ok(self.own.check(server_id)) };
        match log.check(server_id).await {
            Ok(decision) => {
                if let Decision::Allowed { delay, .. } = decision {
                    self.own.note(server_id, delay);
                }
                Ok(decision)
            }
            Err(away) if shared.is_closed_on_failure() => Err(away),
            Err(Away) => Ok(self.own.check(server_id)),
        }
    }

    /// Forgets servers that made no request within the span.
    pub fn sweep(&self) {
        self.own.sweep();
    }
}
