//! How far a push service's clock is from ours, by the `Date` of its answers.
//!
//! Tokens are dated. On a machine with a wrong clock Apple and Google would call them expired, or not yet made;
//! there the push service's own time dates them.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, header};
use prometheus_client::metrics::gauge::Gauge;

use super::gate::Gate;
use crate::{
    clock::{Clock, Timestamp},
    domain::device::Provider,
    metrics::{Metrics, ProviderLabels},
};

/// A date is looked at this often, so that it costs nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Above this the operator is told: half of what is put right, and far above the second a date is rounded to.
const TELL_ABOVE_MILLIS: u64 = 30_000;

/// He is told this often.
const TELL_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Above this our tokens are dated by the push service's clock; up to it they are dated so far back that it
/// does no harm ([`DATED_BACK`]).
const CORRECT_ABOVE_MILLIS: u64 = 60_000;

/// Tokens are dated back by so much, so that a clock a little ahead makes none from the future.
pub(super) const DATED_BACK: Duration = Duration::from_secs(60);

/// Dates that differ by less agree: a second of rounding, and an answer that was long on its way.
const AGREE_WITHIN_MILLIS: u64 = 10_000;

/// So many dates in a row have to agree before they are believed without a refusal.
const AGREEING_DATES: u32 = 3;

/// Compares the clock of one push service with ours.
pub(super) struct ClockSkew {
    provider: Provider,
    clock: Clock,
    gauge: Gauge<f64, AtomicU64>,
    looked: Gate,
    told: Gate,
    /// Added to our time; 0 while our clock is good enough.
    correction_millis: AtomicI64,
    /// What the dates before said, and how many of them agree.
    before: Mutex<(i64, u32)>,
}

impl ClockSkew {
    pub(super) fn new(provider: Provider, clock: &Clock, metrics: &Metrics) -> Self {
        Self {
            provider,
            clock: clock.clone(),
            gauge: metrics.provider_clock_skew.get_or_create(&ProviderLabels { provider }).clone(),
            looked: Gate::default(),
            told: Gate::default(),
            correction_millis: AtomicI64::new(0),
            before: Mutex::default(),
        }
    }

    /// The time by which tokens are dated: ours, or the push service's where ours is wrong.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.clock.now().unix_millis();
        let correction = self.correction_millis.load(Ordering::Relaxed);
        Timestamp::from_unix_millis(now.saturating_add(correction))
    }

    /// Looks at an answer's date, if the last look is some time ago.
    pub(super) fn observe(&self, headers: &HeaderMap) {
        if !self.looked.opens(self.clock.running(), LOOK_INTERVAL) {
            return;
        }
        let Some(skew) = self.skew(headers) else { return };
        self.tell(skew);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let agreeing =
            if skew.abs_diff(before.0) <= AGREE_WITHIN_MILLIS { before.1 + 1 } else { 1 };
        *before = (skew, agreeing.min(AGREEING_DATES));
        if before.1 >= AGREEING_DATES {
            self.correct(skew);
        }
    }

    /// Takes the date of an answer that refuses a token at its word; whether tokens are dated differently
    /// from now on, so that another one may be taken. A refusal and a date that explains it are proof enough.
    pub(super) fn explains_refusal(&self, headers: &HeaderMap) -> bool {
        let Some(skew) = self.skew(headers) else { return false };
        self.tell(skew);
        skew.unsigned_abs() > CORRECT_ABOVE_MILLIS && self.correct(skew)
    }

    /// How far the push service is ahead of us, in milliseconds.
    fn skew(&self, headers: &HeaderMap) -> Option<i64> {
        let date = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
        let millis = i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
        // A date is cut to its second; half of one is the best guess.
        Some(millis.saturating_add(500).saturating_sub(self.clock.now().unix_millis()))
    }

    fn tell(&self, skew: i64) {
        #[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
        let seconds = skew as f64 / 1000.0;
        self.gauge.set(seconds);
        if skew.unsigned_abs() > TELL_ABOVE_MILLIS
            && self.told.opens(self.clock.running(), TELL_INTERVAL)
        {
            tracing::warn!(
                event = "clock.skewed",
                provider = self.provider.as_str(),
                seconds,
                "the push service's clock is this far ahead of ours; is the time of this machine set by NTP?"
            );
        }
    }

    /// Whether that changes anything.
    fn correct(&self, skew: i64) -> bool {
        let wanted = if skew.unsigned_abs() > CORRECT_ABOVE_MILLIS { skew } else { 0 };
        let is_new = |known: i64| {
            (wanted.abs_diff(known) > AGREE_WITHIN_MILLIS || wanted == 0 && known != 0)
                .then_some(wanted)
        };
        let correction = &self.correction_millis;
        correction.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_new).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Answers of a push service whose clock is so many seconds ahead.
    fn answer(clock: &Clock, ahead: i64) -> HeaderMap {
        let seconds = u64::try_from(clock.now().unix_seconds() + ahead).unwrap();
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        HeaderMap::from_iter([(header::DATE, HeaderValue::try_from(date).unwrap())])
    }

    fn skew(clock: &Clock) -> ClockSkew {
        ClockSkew::new(Provider::Apns, clock, &Metrics::default())
    }

    /// By how many seconds tokens are dated off our clock.
    fn correction(skew: &ClockSkew, clock: &Clock) -> i64 {
        (skew.now().unix_millis() - clock.now().unix_millis() + 500).div_euclid(1000)
    }

    #[test]
    fn a_clock_that_is_wrong_again_and_again_is_put_right() {
        let clock = Clock::default();
        let skew = skew(&clock);
        let mut see = |ahead: i64| {
            clock.advance(LOOK_INTERVAL);
            skew.observe(&answer(&clock, ahead));
            correction(&skew, &clock)
        };
        assert_eq!([59; 4].map(&mut see), [0; 4], "it does no harm");
        assert_eq!([-600, 900, -600, 900].map(&mut see), [0; 4], "they do not agree");
        let corrected = [-600; 3].map(&mut see);
        assert_eq!(corrected[..2], [0, 0]);
        assert!((-601..=-599).contains(&corrected[2]), "{corrected:?}");
        assert_eq!([0; 3].map(&mut see)[2], 0, "somebody has set our clock");
    }

    #[test]
    fn a_date_is_looked_at_once_a_second() {
        let clock = Clock::default();
        let skew = skew(&clock);
        for _ in 0..10 {
            skew.observe(&answer(&clock, 600));
        }
        assert_eq!(correction(&skew, &clock), 0);
    }

    #[test]
    fn a_refusal_is_explained_once() {
        let clock = Clock::default();
        let skew = skew(&clock);
        assert!(!skew.explains_refusal(&answer(&clock, 30)));
        assert!(!skew.explains_refusal(&HeaderMap::new()));
        assert!(skew.explains_refusal(&answer(&clock, -7200)));
        assert!(!skew.explains_refusal(&answer(&clock, -7200)), "another token is no better");
    }
}
