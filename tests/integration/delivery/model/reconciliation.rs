//! What the fakes accepted, beside what was asked for and what the bouncer reports.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::{Duration, Instant},
};

use entities::{e2ee_devices, push_counts};
use sea_orm::EntityTrait as _;

use super::{
    crowd::{Crowd, Notification, number_in},
    expectation::{Expected, Pair},
    journal::{Done, Journal, Journals, Notes},
    number,
    plan::Plan,
    weather::LATE,
};
use crate::world::{Kind, World, until};

/// An answer that was due so long before its connection ended has been read.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// Streams that may be on their way when the limit falls, to each connection.
const UNDER_WAY: u64 = 100;

/// What came of it.
#[derive(Default)]
pub(super) struct Tally {
    seed: Option<u64>,
    notifications: usize,
    repeated_requests: usize,
    removals: usize,
    pushes: usize,
    /// Messages that were read before they could be sent, and their removals.
    superseded: usize,
    /// Acceptances after the first, by what became of the answer before.
    again: BTreeMap<&'static str, usize>,
    faults: BTreeMap<&'static str, usize>,
    refused_streams: u64,
    pub(super) took: Duration,
}

/// A request in a fake's log.
struct Entry {
    token: String,
    number: Option<u64>,
    id: Option<String>,
    connection: u64,
    is_accepted: bool,
    is_answer_lost: bool,
    reason: Option<String>,
}

/// Compares everything.
pub(super) async fn reconcile(
    world: &World,
    plan: Plan,
    crowd: &Crowd,
    said: &[Notification],
    journals: &Journals,
) -> Tally {
    let mut tally = Tally {
        seed: Some(plan.seed),
        notifications: said.len(),
        repeated_requests: said.iter().map(|notification| notification.requests - 1).sum(),
        removals: said.iter().filter(|notification| notification.removes.is_some()).count(),
        ..Tally::default()
    };
    let superseded =
        number(world.metric("push_bouncer_pushes_total", &["outcome=\"superseded\""]).await);
    let mut missing = 0;
    let (apns, fcm) = logs(world);
    for (kind, log, journal, counters) in [
        (Kind::Apns, apns, &journals.apns, world.surroundings.apns.counters()),
        (Kind::Fcm, fcm, &journals.fcm, world.surroundings.fcm.counters()),
    ] {
        let of_kind = Expected::of(said, kind);
        tally.pushes += of_kind.pairs.len();
        assert_eq!(log.len() as u64, counters.requests(), "the log has everything");
        let unknown = Unknown::of(world, kind).await;
        missing += compare(plan, kind, &log, journal, &of_kind, unknown, &mut tally);
        let notes = journal.notes();
        let bound = if plan.is_limit_moved { notes.falls as u64 * UNDER_WAY } else { 0 };
        assert!(
            counters.refused_streams <= bound,
            "{} streams above the limit of {kind:?}, seed {}",
            counters.refused_streams,
            plan.seed
        );
        tally.refused_streams += counters.refused_streams;
    }
    // A message that was read is not sent again where its answer was lost, and arrived all the same.
    let is_told = missing <= superseded && (plan.are_answers_lost || missing == superseded);
    assert!(
        is_told,
        "{missing} were not sent, {superseded} because they were read, seed {}",
        plan.seed
    );
    tally.superseded = superseded;
    compare_reports(world, crowd, said, tally.pushes, superseded).await;
    tally
}

fn logs(world: &World) -> (Vec<Entry>, Vec<Entry>) {
    let (mut apns, mut fcm) = (Vec::new(), Vec::new());
    world.surroundings.apns.for_each_request(|request| {
        apns.push(Entry {
            token: request.token().to_owned(),
            number: number_in(&request.body),
            id: request.apns_id().map(str::to_owned),
            connection: request.connection,
            is_accepted: request.is_accepted(),
            is_answer_lost: request.is_answer_lost,
            reason: request.reason.as_deref().map(str::to_owned),
        });
    });
    world.surroundings.fcm.for_each_request(|request| {
        fcm.push(Entry {
            token: request.token.clone(),
            number: number_in(&request.body),
            id: None,
            connection: request.connection,
            is_accepted: request.is_accepted(),
            is_answer_lost: request.is_answer_lost,
            reason: request.error_code.as_deref().map(str::to_owned),
        });
    });
    (apns, fcm)
}

/// Further attempts after one that the push service may have accepted: of which the connection ended, and which
/// had no answer in time.
#[derive(Clone, Copy)]
struct Unknown {
    interrupted: usize,
    late: usize,
}

impl Unknown {
    async fn of(world: &World, kind: Kind) -> Self {
        let provider = match kind {
            Kind::Apns => "provider=\"apns\"",
            Kind::Fcm => "provider=\"fcm\"",
        };
        let retries = async |cause: &str| {
            number(world.metric("push_bouncer_push_retries_total", &[provider, cause]).await)
        };
        Self {
            interrupted: retries("cause=\"interrupted\"").await,
            late: retries("cause=\"timeout\"").await,
        }
    }
}

/// The pushes of one service; how many were needless.
fn compare(
    plan: Plan,
    kind: Kind,
    log: &[Entry],
    journal: &Journal,
    expected: &Expected,
    unknown: Unknown,
    tally: &mut Tally,
) -> usize {
    let mut notes = journal.notes();
    let done = match_up(kind, log, &mut notes);
    let mut accepted: HashMap<Pair, Vec<usize>> = HashMap::new();
    let mut ids: HashMap<&str, Pair> = HashMap::new();
    let mut id_of: HashMap<Pair, &str> = HashMap::new();
    for (index, entry) in log.iter().enumerate() {
        if entry.token.is_empty() {
            // Who comes with an expired access token is not asked for whom.
            assert!(!entry.is_accepted);
            continue;
        }
        let number = entry.number.expect("every push has a number");
        let pair = (kind, entry.token.clone(), number);
        assert!(expected.pairs.contains(&pair), "nobody asked for {pair:?}, seed {}", plan.seed);
        if let Some(id) = &entry.id {
            let other = ids.entry(id).or_insert_with(|| pair.clone());
            assert_eq!(*other, pair, "two pushes under one id, seed {}", plan.seed);
            let other = id_of.entry(pair.clone()).or_insert(id);
            assert_eq!(other, id, "one push under two ids, {pair:?}, seed {}", plan.seed);
        }
        if entry.is_accepted {
            accepted.entry(pair).or_default().push(index);
        }
    }
    let needless = expected.needless(&accepted, plan);
    let in_vain = notes.ids.iter().filter(|id| !ids.contains_key(&***id)).count();
    assert!(
        in_vain <= needless,
        "{in_vain} ids were used in vain, {needless} pushes were needless, seed {}",
        plan.seed
    );

    let (mut again, mut unexplained) = (0, 0);
    for indices in accepted.values() {
        for (earlier, later) in indices.iter().zip(&indices[1..]) {
            again += 1;
            let why =
                excuse(&log[*earlier], done[*earlier].as_ref(), done[*later].as_ref(), &notes);
            *tally.again.entry(why).or_default() += 1;
            unexplained += usize::from(why == UNEXPLAINED);
        }
    }
    let Unknown { interrupted, late } = unknown;
    assert!(
        again <= interrupted + late,
        "{again} came again, {interrupted} and {late} for want of an answer, seed {}",
        plan.seed
    );
    // Nothing but time can have cost these answers, or all where none is lost.
    let for_want_of_time = if plan.are_answers_lost { unexplained } else { again };
    assert!(
        for_want_of_time <= late,
        "{for_want_of_time} came again, {late} for want of time, seed {}",
        plan.seed
    );
    for (fault, times) in &notes.faults {
        *tally.faults.entry(fault).or_default() += times;
    }
    needless
}

/// What was done to each request of the log; nothing in an outage, which asks no script.
fn match_up(kind: Kind, log: &[Entry], notes: &mut Notes) -> Vec<Option<Done>> {
    let outages: &[&str] = match kind {
        Kind::Apns => &["ServiceUnavailable", "InternalServerError"],
        Kind::Fcm => &["UNAVAILABLE", "INTERNAL"],
    };
    let done = |entry: &Entry| {
        let queue = notes.logged.get_mut(&entry.connection)?;
        let may_be_outage = entry.reason.as_deref().is_some_and(|reason| outages.contains(&reason));
        // Of two refusals in a row for one reason it does not matter which was the script's.
        if may_be_outage && queue.front().is_none_or(|next| next.refusal != entry.reason) {
            return None;
        }
        let done = queue.pop_front()?;
        assert!(
            done.refusal.is_none() || !entry.is_accepted,
            "the log has the order of the script"
        );
        Some(done)
    };
    log.iter().map(done).collect()
}

const UNEXPLAINED: &str = "unexplained";

/// Why an accepted push was sent once more.
fn excuse(
    entry: &Entry,
    earlier: Option<&Done>,
    later: Option<&Done>,
    notes: &Notes,
) -> &'static str {
    if entry.is_answer_lost {
        return "answer lost";
    }
    let Some(earlier) = earlier else { return UNEXPLAINED };
    if earlier.delay >= LATE {
        return "answer too late";
    }
    let answered = earlier.at + earlier.delay;
    let ended = |at: &Instant| {
        *at >= earlier.at
            && later.is_none_or(|later| *at <= later.at)
            && *at <= answered + READ_WITHIN
    };
    if notes.cuts.get(&entry.connection).is_some_and(ended) {
        return "connection cut";
    }
    if notes.breaks.iter().any(ended) {
        return "all connections cut";
    }
    let is_silent = |(began, ended): &(Instant, Instant)| {
        // What the client had given up is read when the line goes on.
        answered + READ_WITHIN >= *began && earlier.at <= *ended + READ_WITHIN
    };
    if notes.silences.iter().any(is_silent) {
        return "all connections silent";
    }
    UNEXPLAINED
}

/// What the bouncer says of itself.
async fn compare_reports(
    world: &World,
    crowd: &Crowd,
    said: &[Notification],
    pushes: usize,
    superseded: usize,
) {
    let repeated: usize = said.iter().map(|one| one.outcomes() - one.devices.len()).sum();
    let metric = async |name: &str, labels: &[&str]| {
        number(world.metric(&format!("push_bouncer_{name}"), labels).await)
    };
    let outcome =
        async |outcome: &str| metric("pushes_total", &[&format!("outcome=\"{outcome}\"")]).await;
    assert_eq!(metric("pushes_total", &[]).await, pushes + repeated, "one outcome each");
    assert_eq!(outcome("accepted").await, pushes - superseded);
    assert_eq!(outcome("deduplicated").await, repeated);
    assert_eq!(metric("pushes_given_up_total", &[]).await, 0);

    until("nothing waits and nothing is under way", async || {
        let left = metric("push_retry_entries", &[]).await
            + metric("push_retry_bytes", &[]).await
            + metric("provider_streams_in_flight", &[]).await;
        (left == 0).then_some(())
    })
    .await;
    for provider in ["provider=\"apns\"", "provider=\"fcm\""] {
        assert_eq!(metric("provider_available", &[provider]).await, 1);
    }

    let database = world.database().await;
    let (clear, sealed) = crowd.phones();
    assert_eq!(world.states_of_devices().await, (clear, 0, 0), "no device is gone or suspected");
    let devices = e2ee_devices::Entity::find().all(&database).await.unwrap();
    assert_eq!(devices.iter().filter(|device| device.expired_at.is_none()).count(), sealed);

    let expected = (pushes + repeated, pushes - superseded);
    until("the counts are written down", async || {
        let rows = push_counts::Entity::find().all(&database).await.unwrap();
        let of_servers = rows.iter().filter(|row| row.remote_realm_id == 0);
        let sums =
            of_servers.fold((0, 0), |sum, row| (sum.0 + row.received, sum.1 + row.forwarded));
        let sums = (usize::try_from(sums.0).unwrap(), usize::try_from(sums.1).unwrap());
        assert!(sums.0 <= expected.0 && sums.1 <= expected.1, "{sums:?} of {expected:?} counted");
        (sums == expected).then_some(())
    })
    .await;
    database.close().await.unwrap();
}

impl Tally {
    /// Adds what came of another one.
    pub(super) fn add(&mut self, other: &Self) {
        self.notifications += other.notifications;
        self.repeated_requests += other.repeated_requests;
        self.removals += other.removals;
        self.pushes += other.pushes;
        self.superseded += other.superseded;
        self.refused_streams += other.refused_streams;
        self.took += other.took;
        for (sum, other) in [(&mut self.again, &other.again), (&mut self.faults, &other.faults)] {
            for (name, times) in other {
                *sum.entry(name).or_default() += times;
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seed) = self.seed {
            write!(formatter, "seed {seed}: ")?;
        }
        let Self { notifications, repeated_requests, removals, pushes, .. } = self;
        let Self { superseded, refused_streams, took, .. } = self;
        write!(
            formatter,
            "{notifications} notifications ({repeated_requests} requests repeated, {removals} removals), {pushes} pushes \
             ({superseded} superseded) in {took:.1?}, \
             again {:?}, faults {:?}, {refused_streams} streams above a fallen limit",
            self.again, self.faults
        )
    }
}
