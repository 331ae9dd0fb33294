//! The sliding log of a server that several nodes share.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use super::{Decision, sliding_log::Verdict};
use crate::{
    clock::Clock,
    config::Rate,
    shared_state::{Away, SharedState},
};

/// As [`SlidingLog`](super::sliding_log::SlidingLog) decides, by Redis's own clock: nodes whose clocks differ count the same.
///
/// The list has a moment in milliseconds for each request that was let through, in their order.
const LOG: &str = r"
local log = KEYS[1]
local span, limit, max_delay = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = redis.call('LINDEX', log, 0)
while oldest and tonumber(oldest) <= now - span do
    redis.call('LPOP', log)
    oldest = redis.call('LINDEX', log, 0)
end
local length = redis.call('LLEN', log)
local at = now
if length >= limit then
    at = math.max(now, redis.call('LINDEX', log, length - limit) + span)
end
if at - now > max_delay then
    local newest = redis.call('LINDEX', log, -1)
    return {0, at - now, length, newest + span - now}
end
redis.call('RPUSH', log, at)
redis.call('PEXPIRE', log, at + span - now)
return {1, at - now, length + 1, at + span - now}
";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(LOG));

/// The logs of all servers.
pub(super) struct SharedLog {
    shared: SharedState,
    clock: Clock,
    rate: Rate,
    max_delay: Duration,
}

impl SharedLog {
    pub(super) fn new(shared: SharedState, clock: Clock, rate: Rate, max_delay: Duration) -> Self {
        Self { shared, clock, rate, max_delay }
    }

    /// Decides on one request of a server now.
    pub(super) async fn check(&self, server_id: i64) -> Result<Decision, Away> {
        let mut script = SCRIPT.prepare_invoke();
        script.key(self.shared.key("limit", server_id));
        script.arg(millis(self.rate.per)).arg(self.rate.count.get()).arg(millis(self.max_delay));
        let (is_allowed, delay, used, reset): (bool, u64, u64, i64) =
            self.shared.run(&script).await?;
        let verdict = Verdict {
            is_allowed,
            delay: Duration::from_millis(delay),
            used: usize::try_from(used).unwrap_or(usize::MAX),
            whole_in_millis: reset,
        };
        Ok(verdict.told(self.rate, &self.clock))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
