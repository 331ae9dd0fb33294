//! How rough a schedule is.

use std::time::Duration;

/// What follows from a seed for the whole schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Answers of accepted pushes are lost. Without it each push arrives exactly once.
    pub(super) are_answers_lost: bool,
    /// The number of streams falls to 1 and rises. Without it no stream is above the limit.
    pub(super) is_limit_moved: bool,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        Self { seed, are_answers_lost: seed & 1 == 1, is_limit_moved: matches!(seed & 3, 0 | 3) }
    }

    /// What an attempt may take. Where no answer may be lost it is more than a busy machine needs.
    pub(super) fn attempt_timeout(self) -> Duration {
        if self.are_answers_lost { Duration::from_millis(500) } else { Duration::from_secs(10) }
    }

    /// The settings of the bouncer.
    pub(super) fn settings(self) -> String {
        let attempt = self.attempt_timeout().as_millis();
        let ping_timeout = if self.are_answers_lost { "600ms" } else { "10s" };
        format!(
            r#"
push.answer_within = "300ms"
push.retry_for = "20h"
push.duplicate_window = "20h"
apns.sandbox.attempt_timeout = "{attempt}ms"
fcm.sandbox.attempt_timeout = "{attempt}ms"
apns.sandbox.connections = 4
fcm.sandbox.connections = 4
outbound.ping_interval = "500ms"
outbound.ping_timeout = "{ping_timeout}"
outbound.max_connection_age = "2s"
outbound.idle_timeout = "1s"
limits.ip.rate = "100000/s"
limits.server.rate = "100000/s"
http.shutdown_grace = "1s"
"#
        )
    }
}
