//! Who of several nodes sends a push: the one that claims it first in a Redis.
//!
//! For each notification there is a hash with what became of its pushes, by the digest of its request. One script
//! looks pushes up and takes those that are free, so that of requests that come at once to several nodes one gets
//! each push.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis::Script;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use super::{Beginning, Digest, PushKey, entry};
use crate::{
    metrics::RetryCause,
    shared_state::{Away, NODE_LIFE, SharedState},
};

/// One call of the script looks at no more pushes: Redis does nothing else meanwhile, about a millisecond.
const PUSHES_OF_CALL: usize = 128;

/// Pushes at once that wait for an answer; those of a notification that comes on top are sent without.
const PUSHES_AT_ONCE: u32 = 8192;

/// For each push: what it is (a letter), the cause for which it may have arrived, and its id.
///
/// `n` is a new push and `o` one that was tried before; they are this node's from now on. `a` was accepted, and `t` is
/// being tried, with the milliseconds that its node counts as alive without another word, or `-` for this node. One that
/// a node was trying which lives no more is taken over, and may have arrived. This node is
/// not trying what it has seen the end of (`again`), and only has not written that yet. A claim that comes so late that
/// its push has failed already takes nothing.
const CLAIM: &str = r"
local hash = KEYS[1]
local life, node, nodes, lost = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local is_new = redis.call('EXISTS', hash) == 0
local lives = {}
local answers = {}
for at = 5, #ARGV, 5 do
    local push, id, cause, number, again = unpack(ARGV, at, at + 4)
    local known = redis.call('HGET', hash, push)
    local letter, state, why, holder, its_number, its_id = 'n'
    if known then
        state = string.sub(known, 1, 1)
        why, holder, its_number, its_id = string.match(known, '^%l (%S+) (%S+) (%d+) (%x+)$')
    end
    local is_ours = holder == node
    if state == 't' and holder and not is_ours and not lives[holder] then
        lives[holder] = redis.call('PTTL', nodes .. holder)
    end
    if state == 'a' then
        letter = 'a'
    elseif state == 't' and is_ours and again == '0' then
        letter, cause, id = 't', '-', its_id
    elseif state == 't' and holder and not is_ours and lives[holder] > 0 then
        letter, cause, id = 't', tostring(lives[holder]), its_id
    elseif holder then
        letter, id = 'o', its_id
        if state == 't' and holder ~= node then
            cause = lost
        elseif why ~= '-' then
            cause = why
        end
    end
    local is_late = state == 'f' and is_ours and its_number == number
    if (letter == 'n' or letter == 'o') and not is_late then
        redis.call('HSET', hash, push, table.concat({'t', cause, node, number, id}, ' '))
    end
    answers[#answers + 1] = letter .. ' ' .. cause .. ' ' .. id
end
if is_new then
    redis.call('PEXPIRE', hash, life)
end
return answers
";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(CLAIM));

/// The claims of this node.
pub(super) struct Claims {
    shared: SharedState,
    window: Duration,
    places: Semaphore,
    doubts: Arc<Semaphore>,
}

/// A push that this node would send.
pub(in crate::delivery) struct Claim {
    pub(in crate::delivery) key: PushKey,
    /// What it begins with if it is new to the other nodes too.
    pub(in crate::delivery) beginning: Beginning,
    /// By which this node knows its claims apart.
    pub(in crate::delivery) number: u64,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::delivery) enum Verdict {
    /// It is new.
    New(Beginning),
    /// Another request brought it no further; it goes on like this.
    TakenOver(Beginning),
    /// Another node brought it already.
    Accepted,
    /// A node is trying it.
    Tried {
        /// What it is called.
        id: Uuid,
        /// How long ago that node was heard of, if it is another one.
        heard: Option<Duration>,
    },
    /// The other nodes cannot be asked.
    Unknown,
}

impl Claims {
    pub(super) fn new(shared: SharedState, window: Duration) -> Self {
        let places = usize::try_from(PUSHES_AT_ONCE).unwrap_or(usize::MAX);
        let doubts = Arc::new(Semaphore::new(places));
        Self { shared, window, places: Semaphore::new(places), doubts }
    }

    /// Room for so many pushes that wait until it is known whether the node lives that is trying them; none where as many
    /// wait already as may.
    pub(super) fn doubt(&self, pushes: usize) -> Option<OwnedSemaphorePermit> {
        let pushes = u32::try_from(pushes).ok()?;
        Arc::clone(&self.doubts).try_acquire_many_owned(pushes).ok()
    }

    /// Claims pushes of a notification, in their order, and waits no longer for all of it than for one answer of Redis.
    /// At the end verdicts may be missing: about those nothing is known.
    pub(super) async fn claim(&self, digest: &Digest, claims: &[Claim]) -> Vec<Verdict> {
        let until = Instant::now() + self.shared.timeout();
        let mut verdicts = Vec::with_capacity(claims.len());
        let wanted = u32::try_from(claims.len()).unwrap_or(u32::MAX).min(PUSHES_AT_ONCE);
        let Ok(_places) = self.places.try_acquire_many(wanted) else { return verdicts };
        for (part, claims) in claims.chunks(PUSHES_OF_CALL).enumerate() {
            let asked = self.ask(digest, claims);
            let answers = match part {
                // It has the deadline of any answer: who misses it is away.
                0 => asked.await,
                // That a notification has many parts says nothing of Redis.
                _ => timeout_at(until, asked).await.unwrap_or(Err(Away)),
            };
            match answers {
                Ok(answers) if answers.len() == claims.len() => {
                    verdicts.extend(answers.iter().map(|answer| verdict_in(answer)));
                }
                Ok(_) | Err(Away) => break,
            }
        }
        verdicts
    }

    async fn ask(&self, digest: &Digest, claims: &[Claim]) -> Result<Vec<String>, Away> {
        let mut script = SCRIPT.prepare_invoke();
        script.key(super::shared_key(&self.shared, digest));
        script.arg(u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX));
        script.arg(self.shared.node()).arg(self.shared.node_key(""));
        // Its connection to the push service ended with it, before an answer that anybody knows.
        script.arg(RetryCause::Interrupted.as_str());
        for Claim { key, beginning, number } in claims {
            let Beginning { id, may_have_arrived, is_again } = beginning;
            script.arg(entry::field(*key)).arg(id.simple().to_string());
            script.arg(entry::word_of(*may_have_arrived)).arg(*number).arg(u8::from(*is_again));
        }
        self.shared.run(&script).await
    }
}

/// What the script says of one push.
fn verdict_in(answer: &str) -> Verdict {
    let mut words = answer.split(' ');
    let (Some(letter), Some(cause), Some(id)) = (words.next(), words.next(), words.next()) else {
        return Verdict::Unknown;
    };
    let Ok(id) = Uuid::try_parse(id) else { return Verdict::Unknown };
    let beginning = |is_again| Beginning { id, may_have_arrived: entry::cause_of(cause), is_again };
    match letter {
        "n" => Verdict::New(beginning(false)),
        "o" => Verdict::TakenOver(beginning(true)),
        "a" => Verdict::Accepted,
        "t" => {
            let lives_for = cause.parse().ok().map(Duration::from_millis);
            Verdict::Tried { id, heard: lives_for.map(|left| NODE_LIFE.saturating_sub(left)) }
        }
        _ => Verdict::Unknown,
    }
}
