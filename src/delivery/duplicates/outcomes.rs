//! Final outcomes on their way to the other nodes: written behind, from a queue that is bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::Script;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{Digest, PushKey, entry};
use crate::{
    clock::Clock,
    metrics::{Metrics, RetryCause},
    shared_state::{Away, SharedState},
};

/// So many may wait, while Redis is away, at about 100 bytes each; then the oldest goes.
const MOST: usize = 65_536;

/// One call of the script writes no more of them: Redis does nothing else meanwhile, less than a millisecond.
const OUTCOMES_OF_CALL: usize = 128;

/// How often it is looked whether Redis is back.
const LOOK: Duration = Duration::from_millis(250);

/// At the end of the bouncer the rest is written within this time, or never.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// A push that was accepted stays so, whoever says otherwise. A failure counts only where its node still holds the
/// push: another one may be trying it by now.
const WRITE: &str = r"
for at, hash in ipairs(KEYS) do
    local push, value, life = unpack(ARGV, 3 * at - 2, 3 * at)
    local known = redis.call('HGET', hash, push)
    local holder = '^%l %S+ (%S+ %d+) %x+$'
    if not known then
        redis.call('HSET', hash, push, value)
        if redis.call('PTTL', hash) == -1 then
            redis.call('PEXPIRE', hash, life)
        end
    elseif value == 'a' or string.match(known, holder) == string.match(value, holder) then
        redis.call('HSET', hash, push, value)
    end
end
";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(WRITE));

/// The final outcome of a push.
pub(super) struct Ended {
    pub(super) digest: Digest,
    pub(super) key: PushKey,
    pub(super) id: Uuid,
    /// That of its claim.
    pub(super) number: u64,
    pub(super) is_accepted: bool,
    pub(super) may_have_arrived: Option<RetryCause>,
    /// From when on its notification is not known any more: a moment of [`Clock::running`].
    pub(super) until: Duration,
}

/// What the other nodes have not been told yet.
pub(super) struct Outcomes {
    shared: SharedState,
    clock: Clock,
    metrics: Arc<Metrics>,
    queue: Mutex<Queue>,
    came: Notify,
    all_are_written: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Ended>,
    /// Those that are being written.
    in_hand: usize,
}

impl Outcomes {
    pub(super) fn new(shared: SharedState, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let (came, all_are_written) = (Notify::new(), Notify::new());
        Self { shared, clock, metrics, queue: Mutex::default(), came, all_are_written }
    }

    /// Has an outcome written.
    pub(super) fn push(&self, ended: Ended) {
        let mut queue = self.queue();
        if queue.len() >= MOST && queue.waiting.pop_front().is_some() {
            self.metrics.duplicate_outcomes_lost.inc();
        }
        queue.waiting.push_back(ended);
        self.show(&queue);
        drop(queue);
        self.came.notify_one();
    }

    /// Writes what comes, for ever.
    pub(super) async fn keep_writing(&self) {
        loop {
            let batch = self.take();
            if batch.is_empty() {
                self.came.notified().await;
                continue;
            }
            let written = self.write(&batch).await;
            let is_away = written.is_err();
            self.put_back(if is_away { batch } else { Vec::new() });
            if is_away {
                sleep(LOOK).await;
            }
        }
    }

    /// Waits until all is written, unless Redis is away, and not for long.
    pub(super) async fn flush(&self) {
        let all_written = async {
            loop {
                // Made before it is looked, so that the last one is not missed.
                let written = self.all_are_written.notified();
                if self.queue().len() == 0 {
                    return;
                }
                written.await;
            }
        };
        let is_written = self.shared.is_there() && timeout(FLUSH_WITHIN, all_written).await.is_ok();
        let outcomes = self.queue().len();
        if !is_written && outcomes > 0 {
            tracing::warn!(
                event = "push.outcomes_untold",
                outcomes,
                "a notify that comes again may reach devices twice that accepted it here"
            );
        }
    }

    /// The oldest that wait; [`Outcomes::put_back`] must follow.
    fn take(&self) -> Vec<Ended> {
        let mut queue = self.queue();
        let now = self.clock.running();
        let mut batch = Vec::new();
        while batch.len() < OUTCOMES_OF_CALL
            && let Some(ended) = queue.waiting.pop_front()
        {
            // Those that are too old say nothing any more.
            if ended.until > now {
                batch.push(ended);
            }
        }
        queue.in_hand = batch.len();
        self.settled(&queue);
        batch
    }

    /// Ends what [`Outcomes::take`] began, with those that could not be written.
    fn put_back(&self, unwritten: Vec<Ended>) {
        let mut queue = self.queue();
        queue.in_hand = 0;
        for ended in unwritten.into_iter().rev() {
            queue.waiting.push_front(ended);
        }
        self.settled(&queue);
    }

    async fn write(&self, batch: &[Ended]) -> Result<(), Away> {
        let mut script = SCRIPT.prepare_invoke();
        let (now, node) = (self.clock.running(), self.shared.node());
        for ended in batch {
            let Ended { digest, key, id, number, is_accepted, may_have_arrived, until } = ended;
            let value = match is_accepted {
                true => entry::ACCEPTED.to_owned(),
                false => entry::failed(node, *number, *id, *may_have_arrived),
            };
            let life = u64::try_from(until.saturating_sub(now).as_millis()).unwrap_or(u64::MAX);
            script.key(super::shared_key(&self.shared, digest));
            script.arg(entry::field(*key)).arg(value).arg(life.max(1));
        }
        self.shared.run(&script).await
    }

    fn settled(&self, queue: &Queue) {
        self.show(queue);
        if queue.len() == 0 {
            self.all_are_written.notify_waiters();
        }
    }

    fn show(&self, queue: &Queue) {
        let waiting = i64::try_from(queue.len()).unwrap_or(i64::MAX);
        self.metrics.duplicate_outcomes_waiting.set(waiting);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.waiting.len() + self.in_hand
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::RedisConfig, domain::device::Row, random::Random};

    fn ended(number: u64, until: Duration) -> Ended {
        Ended {
            digest: Digest::default(),
            key: (Row::Device(1), 0),
            id: Uuid::nil(),
            number,
            is_accepted: true,
            may_have_arrived: None,
            until,
        }
    }

    fn outcomes(clock: &Clock) -> Outcomes {
        let url = Some("redis+unix:///nowhere".to_owned());
        let config = RedisConfig { url, ..RedisConfig::default() };
        let metrics = Arc::<Metrics>::default();
        let shared = SharedState::new(&config, Random::default(), Arc::clone(&metrics));
        Outcomes::new(shared.unwrap().unwrap(), clock.clone(), metrics)
    }

    #[test]
    fn while_redis_is_away_the_oldest_go_first_and_are_counted() {
        let outcomes = outcomes(&Clock::default());
        for number in 0..=u64::try_from(MOST).unwrap() {
            outcomes.push(ended(number, Duration::MAX));
        }
        let (waiting, lost) = (
            &outcomes.metrics.duplicate_outcomes_waiting,
            &outcomes.metrics.duplicate_outcomes_lost,
        );
        assert_eq!((waiting.get(), lost.get()), (65_536, 1));
        let batch = outcomes.take();
        assert_eq!((batch[0].number, batch.len()), (1, OUTCOMES_OF_CALL));
        outcomes.push(ended(0, Duration::MAX));
        outcomes.put_back(batch);
        assert_eq!((waiting.get(), lost.get()), (65_536, 2));
        assert_eq!(outcomes.take()[0].number, 1, "what is being written is not forgotten");
    }

    #[test]
    fn what_is_too_old_to_be_known_is_not_told() {
        let clock = Clock::default();
        let outcomes = outcomes(&clock);
        outcomes.push(ended(1, clock.running() + Duration::from_secs(600)));
        outcomes.push(ended(2, clock.running() + Duration::from_secs(601)));
        clock.advance(Duration::from_secs(600));
        let numbers: Vec<u64> = outcomes.take().iter().map(|ended| ended.number).collect();
        assert_eq!(numbers, [2]);
    }
}
