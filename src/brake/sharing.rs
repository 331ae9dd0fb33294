//! The counts of all nodes together, through a Redis.
//!
//! For each app there is a hash with one field for each node: all that it counted within the window. It is written anew
//! each second, so a report that is lost or comes twice changes nothing, and what Redis missed while it was away is in the
//! next one.

use std::{sync::LazyLock, time::Duration};

use redis::Script;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{App, Brake, LOOK_INTERVAL, told::Others};
use crate::shared_state::{Away, SharedState};

/// What was told counts no longer than the window and the minute that had only begun.
const BEGUN: Duration = Duration::from_secs(60);

/// Nodes whose counts are kept, with those that ended within the window; the one that was not heard of for longest goes.
const MOST_NODES: usize = 128;

const MINUTE_MILLIS: u64 = 60_000;

/// Tells what this node counted, and answers with the last release of the brake that is known and, for each other
/// node, how many milliseconds ago it told what.
///
/// Counts are of after a release. A node that tells of a later one ends all that was told before; one that does not know
/// of the last is told so, and nothing it says is taken.
const EXCHANGE: &str = r"
local hash, last = KEYS[1], KEYS[2]
local node, released, is_new, counts = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local span, most = tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = tonumber(redis.call('GET', last) or '0')
if is_new == '1' and tonumber(released) > known then
    redis.call('SET', last, released, 'PX', span)
    redis.call('DEL', hash)
elseif tonumber(released) < known then
    return {known, {}}
end
if counts == '' then
    redis.call('HDEL', hash, node)
else
    redis.call('HSET', hash, node, now .. ' ' .. counts)
    redis.call('PEXPIRE', hash, span)
end
local answers = {}
local told = redis.call('HGETALL', hash)
local oldest, oldest_at
for at = 1, #told, 2 do
    local field, moment, text = told[at], string.match(told[at + 1], '^(%d+) (.*)$')
    moment = tonumber(moment or '0')
    if moment <= now - span then
        redis.call('HDEL', hash, field)
    elseif field ~= node then
        answers[#answers + 1] = math.max(now - moment, 0) .. ' ' .. text
        if not oldest or moment < oldest_at then
            oldest, oldest_at = field, moment
        end
    end
end
if oldest and redis.call('HLEN', hash) > most then
    redis.call('HDEL', hash, oldest)
end
return {known, answers}
";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(EXCHANGE));

impl Brake {
    /// Tells the other nodes every second what was counted here, and hears what was there, until `stop`. A Redis that
    /// answers late holds up nothing else.
    pub(super) async fn keep_sharing(&self, stop: &CancellationToken) {
        let Some(shared) = self.inner.shared.as_ref().filter(|_| self.inner.config.enabled) else {
            return;
        };
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if self.share(shared).await.is_err() {
                self.hear_nothing().await;
            }
        }
    }

    async fn share(&self, shared: &SharedState) -> Result<(), Away> {
        for (key, app) in self.inner.apps.iter().enumerate() {
            if app.is_engaged() {
                // Who takes it off has all begin anew.
                app.forget_others();
            } else if self.exchange(shared, app).await? {
                // Pushes of this node may never call a device bad.
                self.consider(key, self.minute(), false).await;
            }
        }
        Ok(())
    }

    /// Redis is away: each node decides by its own counts.
    async fn hear_nothing(&self) {
        for (key, app) in self.inner.apps.iter().enumerate() {
            if app.hear_nothing(self.inner.clock.running()) {
                self.consider(key, self.minute(), false).await;
            }
        }
    }

    /// Whether there is a reason to put the brake on that no push of this node finds.
    async fn exchange(&self, shared: &SharedState, app: &App) -> Result<bool, Away> {
        let telling = app.tell(self.minute());
        let name =
            format_args!("{}:{}", app.devices.provider.as_str(), app.devices.name).to_string();
        let counts = telling.told.as_ref().map(serde_json::to_string);
        let counts = counts.and_then(Result::ok).unwrap_or_default();
        let window = self.inner.config.window;
        let span = u64::try_from((window + 2 * BEGUN).as_millis()).unwrap_or(u64::MAX);
        let mut script = SCRIPT.prepare_invoke();
        script.key(shared.key("brake", &name)).key(shared.key("brake-released", &name));
        script.arg(shared.node()).arg(telling.released).arg(u8::from(telling.is_new));
        script.arg(counts).arg(span).arg(MOST_NODES);
        let (known, answers): (i64, Vec<String>) = shared.run(&script).await?;
        if known > telling.released {
            app.was_released(known);
            return Ok(false);
        }
        let mut others = Others::default();
        for answer in &answers {
            let Some((millis_ago, told)) = answer.split_once(' ') else { continue };
            // What another version of the program says in other words is not understood, and does not count.
            if let (Ok(millis_ago), Ok(told)) =
                (millis_ago.parse::<u64>(), serde_json::from_str(told))
            {
                others.add(&told, millis_ago / MINUTE_MILLIS, app.window_minutes());
            }
        }
        Ok(app.hear(&telling, others, self.inner.clock.running()))
    }
}
