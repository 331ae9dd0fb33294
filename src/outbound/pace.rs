//! How fast connections are opened, and how fast they are filled again after the peer asked for calm.

use std::{ops::RangeInclusive, time::Duration};

use tokio::time::Instant;

use crate::random::Random;

/// After a failed attempt the next one waits this long, twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// When the peer asks for calm nothing is opened for this long, twice as long each time it asks again
/// before [`RAMP`] is over.
const CALM_PAUSE: Duration = Duration::from_secs(2);

/// The longest such pause.
const LONGEST_CALM_PAUSE: Duration = Duration::from_secs(60);

/// After the peer asked for calm it gets its full load only so much later; Google asks for a minute at least,
/// <https://firebase.google.com/docs/cloud-messaging/scale-fcm>.
const RAMP: Duration = Duration::from_secs(60);

/// The part of the load it gets at once, in thousandths.
const RAMP_BEGINS_AT: usize = 100;

/// Everybody who was thrown out at the same moment comes back at another one.
const PAUSE_PERCENT: RangeInclusive<u32> = 50..=150;

/// Failures in a row, requests for calm, and what follows from them.
#[derive(Default)]
pub(super) struct Pace {
    failures: u32,
    calms: u32,
    calm_since: Option<Instant>,
    not_before: Option<Instant>,
}

impl Pace {
    /// An attempt failed, or the connection was of no use.
    pub(super) fn failed(&mut self, now: Instant, random: &Random) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.wait_until(now + jittered(pause, PAUSE_PERCENT, random));
    }

    /// A connection was of use.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The peer said that we ask too much.
    pub(super) fn calm(&mut self, now: Instant, random: &Random) {
        if self.calm_since.is_none_or(|since| now >= since + RAMP) {
            self.calms = 0;
        }
        let pause = CALM_PAUSE.saturating_mul(1 << self.calms.min(8)).min(LONGEST_CALM_PAUSE);
        self.calms += 1;
        self.calm_since = Some(now);
        self.wait_until(now + jittered(pause, PAUSE_PERCENT, random));
    }

    /// When the next connection may be opened.
    pub(super) fn next_dial(&self, now: Instant) -> Instant {
        self.not_before.map_or(now, |not_before| not_before.max(now))
    }

    /// The part of what the peer allows that it gets now, in thousandths; forgets a calm that is over.
    pub(super) fn thousandths(&mut self) -> usize {
        if self.calm_since.is_none() { 1000 } else { self.thousandths_at(Instant::now()) }
    }

    fn thousandths_at(&mut self, now: Instant) -> usize {
        let Some(since) = self.calm_since else { return 1000 };
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= RAMP {
            self.calm_since = None;
            return 1000;
        }
        let millis =
            |duration: Duration| usize::try_from(duration.as_millis()).unwrap_or(usize::MAX);
        RAMP_BEGINS_AT + (1000 - RAMP_BEGINS_AT) * millis(elapsed) / millis(RAMP)
    }

    fn wait_until(&mut self, moment: Instant) {
        self.not_before = Some(self.not_before.map_or(moment, |known| known.max(moment)));
    }
}

/// So many of `count`; at least one where there is one.
pub(super) fn part(count: usize, thousandths: usize) -> usize {
    if thousandths >= 1000 {
        return count;
    }
    (count / 1000).saturating_mul(thousandths) + (count % 1000 * thousandths).div_ceil(1000)
}

/// `duration` times a random percentage.
pub(super) fn jittered(
    duration: Duration,
    percent: RangeInclusive<u32>,
    random: &Random,
) -> Duration {
    // The remainder favours no percentage by more than one in ten million.
    let number = u32::from_le_bytes(random.bytes());
    let percent = percent.start() + number % (percent.end() - percent.start() + 1);
    duration.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_end_with_success() {
        let (mut pace, random, mut now) = (Pace::default(), Random::default(), Instant::now());
        assert_eq!(pace.next_dial(now), now);
        for expected in [250, 500, 1000, 2000, 4000, 8000, 8000] {
            pace.failed(now, &random);
            let pause = (pace.next_dial(now) - now).as_millis();
            assert!((expected / 2..=expected * 3 / 2).contains(&pause), "{pause} {expected}");
            now += Duration::from_secs(20);
        }
        pace.succeeded();
        pace.failed(now, &random);
        assert!(pace.next_dial(now) <= now + FIRST_PAUSE * 3 / 2);
    }

    #[test]
    fn after_a_request_for_calm_the_load_rises_within_a_minute() {
        let (mut pace, random, now) = (Pace::default(), Random::default(), Instant::now());
        assert_eq!(pace.thousandths(), 1000);
        pace.calm(now, &random);
        let pause = pace.next_dial(now) - now;
        assert!((CALM_PAUSE / 2..=CALM_PAUSE * 3 / 2).contains(&pause), "{pause:?}");
        assert_eq!(pace.thousandths_at(now), 100);
        let now = now + RAMP / 2;
        assert_eq!(pace.thousandths_at(now), 550);
        pace.calm(now, &random);
        assert!(pace.next_dial(now) >= now + CALM_PAUSE, "asked again, it waits for longer");
        assert_eq!(pace.thousandths_at(now), 100);
        assert_eq!(pace.thousandths_at(now + RAMP), 1000);
    }

    #[test]
    fn a_part_is_at_least_one_where_there_is_one() {
        assert_eq!((part(0, 100), part(1, 100), part(100, 100), part(1500, 550)), (0, 1, 10, 825));
        assert_eq!((part(7, 1000), part(usize::MAX, 1000)), (7, usize::MAX));
        assert!(part(usize::MAX, 100) > 1 << 60);
    }

    #[test]
    fn pauses_differ() {
        let random = Random::default();
        let drawn = (0..50).map(|_| jittered(FIRST_PAUSE, PAUSE_PERCENT, &random));
        assert!(drawn.collect::<std::collections::BTreeSet<_>>().len() > 10);
    }
}
