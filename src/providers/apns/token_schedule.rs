//! Which authentication token serves at which moment; a token is known by the time it is issued at.

use std::time::Duration;

use crate::{clock::Timestamp, providers::clock_skew::DATED_BACK};

/// A token serves for one step of the clock, counted from the Unix epoch, so that all nodes, and a node
/// before and after a restart, make tokens with the same `iat` and change them at the same moment. Within
/// Apple's 20 to 60 minutes, also when a token serves for one more step.
const STEP: Duration = Duration::from_secs(25 * 60);

/// "Refresh your token no more than once every 20 minutes". A token that Apple calls expired before its time is
/// replaced by the one issued so long after it: nodes that see the same refusal make the same token.
const SOONEST: Duration = Duration::from_secs(20 * 60);

/// Apple counts from its first sight of a token, which is a little later than its making.
const MARGIN: Duration = Duration::from_secs(10);

/// A replacement that comes too early for Apple, since the team has another new token, is tried again so much later.
const PAUSE_OF_REPLACEMENT: Duration = Duration::from_secs(5 * 60);

/// What Apple has said about tokens. `running` is [`Clock::running`](crate::clock::Clock::running).
#[derive(Default)]
pub(super) struct Schedule {
    expired: Option<Expired>,
    held_back: Option<HeldBack>,
}

/// The last token that Apple called expired though it should have lived.
#[derive(Clone, Copy)]
struct Expired {
    issued: Timestamp,
    /// From this moment on there may be another one.
    next_from: Duration,
}

impl Expired {
    fn next(self) -> Timestamp {
        self.issued + SOONEST
    }
}

/// The token that Apple does not take yet, because the team has changed its token too lately.
struct HeldBack {
    issued: Timestamp,
    until: Duration,
}

impl Schedule {
    /// The token that serves now.
    pub(super) fn issued(&self, now: Timestamp, running: Duration) -> Timestamp {
        let wanted = self.wanted(now, running);
        if self.is_held_back(wanted, running) { self.before(wanted, now) } else { wanted }
    }

    /// Whether nothing that Apple said speaks against this token, or there is no better one.
    pub(super) fn may_serve(&self, issued: Timestamp, running: Duration) -> bool {
        let is_over = |expired: Expired| expired.issued == issued && expired.next_from <= running;
        !self.is_held_back(issued, running) && !self.expired.is_some_and(is_over)
    }

    /// Lets the token before this one serve, for the rest of the step or a while; whether that is new.
    pub(super) fn hold_back(
        &mut self,
        refused: Timestamp,
        now: Timestamp,
        running: Duration,
    ) -> bool {
        if self.wanted(now, running) != refused || self.is_held_back(refused, running) {
            return false;
        }
        let is_regular = refused == regular(now);
        let pause = if is_regular { rest_of_step(now) } else { PAUSE_OF_REPLACEMENT };
        self.held_back = Some(HeldBack { issued: refused, until: running + pause });
        true
    }

    /// Replaces this token, which was made at `made`, as soon as Apple allows it.
    pub(super) fn has_expired(
        &mut self,
        refused: Timestamp,
        made: Duration,
        now: Timestamp,
        running: Duration,
    ) {
        let is_known = self.expired.is_some_and(|expired| expired.issued == refused);
        // What Apple says of a token that does not serve any more is no news.
        if !is_known && self.issued(now, running) == refused {
            let next_from = made + SOONEST + MARGIN;
            self.expired = Some(Expired { issued: refused, next_from });
            self.held_back = None;
        }
    }

    /// How long there will be none but the expired token.
    pub(super) fn next_in(&self, now: Timestamp, running: Duration) -> Option<Duration> {
        let wait = self.expired(now)?.next_from.saturating_sub(running);
        (!wait.is_zero()).then_some(wait)
    }

    fn wanted(&self, now: Timestamp, running: Duration) -> Timestamp {
        match self.expired(now) {
            None => regular(now),
            Some(expired) if expired.next_from <= running && expired.next() + DATED_BACK <= now => {
                expired.next()
            }
            Some(expired) => expired.issued,
        }
    }

    /// The expired token, until the regular one is new enough to follow the one in its place.
    fn expired(&self, now: Timestamp) -> Option<Expired> {
        self.expired
            .filter(|expired| expired.issued <= now && regular(now) < expired.next() + SOONEST)
    }

    /// What served before this one, or serves on other nodes.
    fn before(&self, wanted: Timestamp, now: Timestamp) -> Timestamp {
        let regular = regular(now);
        match self.expired {
            Some(expired) if wanted == expired.next() => {
                // Nodes that have seen no refusal went on by the clock.
                if regular == wanted { expired.issued } else { regular.max(expired.issued) }
            }
            Some(expired)
                if expired.next() <= regular && regular.since(expired.next()) < 2 * STEP =>
            {
                expired.next()
            }
            _ => regular - STEP,
        }
    }

    fn is_held_back(&self, issued: Timestamp, running: Duration) -> bool {
        self.held_back.as_ref().is_some_and(|held| held.issued == issued && running < held.until)
    }
}

/// How long the present step lasts.
pub(super) fn rest_of_step(now: Timestamp) -> Duration {
    (regular(now) + STEP + DATED_BACK).since(now)
}

/// The token of the present step. A step begins a minute late, so that its token is from the future nowhere.
fn regular(now: Timestamp) -> Timestamp {
    const STEP_SECONDS: i64 = STEP.as_secs().cast_signed();
    let step = (now - DATED_BACK).unix_seconds().div_euclid(STEP_SECONDS);
    Timestamp::from_unix_seconds(step.saturating_mul(STEP_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many minutes after the start of a step; the clock of the process began with it.
    fn at(minutes: u64) -> (Timestamp, Duration) {
        let running = Duration::from_secs(60 * minutes);
        (start() + running, running)
    }

    fn start() -> Timestamp {
        Timestamp::from_unix_seconds(1_200_000 * 25 * 60)
    }

    /// In which minute the token was issued that serves in this one.
    fn serves(schedule: &Schedule, minute: u64) -> u64 {
        let (now, running) = at(minute);
        schedule.issued(now, running).since(start()).as_secs() / 60
    }

    /// A node that has made the first token in this minute, and sees in a later one that Apple calls it expired.
    fn node(made: u64, seen: u64) -> Schedule {
        let (now, running) = at(seen);
        let mut schedule = Schedule::default();
        schedule.has_expired(start(), at(made).1, now, running);
        schedule
    }

    fn hold_back(schedule: &mut Schedule, issued: u64, minute: u64) -> bool {
        let (now, running) = at(minute);
        schedule.hold_back(at(issued).0, now, running)
    }

    #[test]
    fn tokens_follow_the_clock() {
        let schedule = Schedule::default();
        let minutes = [1, 25, 26, 50, 51];
        assert_eq!(minutes.map(|minute| serves(&schedule, minute)), [0, 0, 25, 25, 50]);
    }

    #[test]
    fn one_that_comes_too_early_waits_for_the_rest_of_its_step() {
        let mut schedule = Schedule::default();
        assert!(hold_back(&mut schedule, 25, 26));
        assert!(!hold_back(&mut schedule, 25, 27), "it is known");
        assert!(!hold_back(&mut schedule, 0, 27), "it does not serve by the clock");
        assert_eq!([26, 50, 51].map(|minute| serves(&schedule, minute)), [0, 0, 50]);
    }

    #[test]
    fn nodes_that_see_the_same_refusal_come_to_the_same_token() {
        let (early, late) = (node(1, 10), node(15, 16));
        let minutes = [16, 21, 22, 26, 35, 36, 50, 51, 76];
        assert_eq!(
            minutes.map(|minute| serves(&early, minute)),
            [0, 0, 20, 20, 20, 20, 20, 50, 75]
        );
        assert_eq!(minutes.map(|minute| serves(&late, minute)), [0, 0, 0, 0, 0, 20, 20, 50, 75]);
        let (now, running) = at(16);
        let minute = Duration::from_secs(60);
        assert_eq!(early.next_in(now, running), Some(5 * minute + MARGIN));
        assert_eq!(late.next_in(now, running), Some(19 * minute + MARGIN));
        assert_eq!(early.next_in(at(22).0, at(22).1), None);
    }

    #[test]
    fn a_node_that_has_seen_no_refusal_joins_the_others() {
        let mut schedule = Schedule::default();
        // The others have the replacement since minute 22: for Apple this is one change too many.
        assert_eq!(serves(&schedule, 26), 25);
        assert!(hold_back(&mut schedule, 25, 26));
        assert_eq!(serves(&schedule, 26), 0);
        schedule.has_expired(start(), at(1).1, at(26).0, at(26).1);
        assert_eq!([26, 50, 51].map(|minute| serves(&schedule, minute)), [20, 20, 50]);
    }

    #[test]
    fn a_replacement_that_comes_too_early_is_tried_again_later() {
        let mut schedule = node(1, 10);
        assert!(hold_back(&mut schedule, 20, 22));
        assert_eq!([22, 26, 27].map(|minute| serves(&schedule, minute)), [0, 25, 20]);
    }

    #[test]
    fn the_one_after_a_replacement_waits_behind_it() {
        let mut schedule = node(24, 25);
        assert_eq!([45, 50, 51].map(|minute| serves(&schedule, minute)), [20, 20, 50]);
        assert!(hold_back(&mut schedule, 50, 51));
        assert_eq!([51, 75, 76].map(|minute| serves(&schedule, minute)), [20, 20, 75]);
    }

    #[test]
    fn a_replacement_may_expire_as_well() {
        let mut schedule = node(1, 10);
        let (now, running) = at(30);
        schedule.has_expired(start(), at(1).1, now, running);
        assert_eq!(serves(&schedule, 30), 20, "that one does not serve any more");
        schedule.has_expired(at(20).0, at(22).1, now, running);
        let minutes = [30, 42, 43, 51, 75, 76];
        assert_eq!(minutes.map(|minute| serves(&schedule, minute)), [20, 20, 40, 40, 40, 75]);
    }

    #[test]
    fn a_clock_that_was_set_back_counts() {
        let schedule = node(1, 10);
        let now = start() - Duration::from_secs(10 * 60);
        assert_eq!(schedule.issued(now, at(11).1), start() - STEP);
    }
}
