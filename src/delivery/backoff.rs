//! When a push is tried again: exponential backoff with full jitter, and what the push service asks for.

use std::time::Duration;

use crate::{
    domain::device::Provider,
    metrics::RetryCause,
    providers::{Delay, Scope},
    random::Random,
};

/// The longest pause after the first failure; it doubles with each.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause of all.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// So that a lucky draw does not make two attempts one.
const SHORTEST: Duration = Duration::from_millis(50);

/// Google asks for a minute at least where it says that its quota is exceeded and names no time:
/// <https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas>.
const QUOTA: Duration = Duration::from_secs(60);

/// While the bouncer ends, no pause is longer.
const LONGEST_AT_THE_END: Duration = Duration::from_secs(2);

/// A pause before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// How long.
    pub(super) whole: Duration,
    /// How much of it the push service asked for: nobody may shorten that.
    pub(super) asked_for: Duration,
}

/// The pause after the `attempts`-th attempt failed by a fault of our own.
pub(super) fn pause_of_fault(attempts: u32, is_ending: bool, random: &Random) -> Duration {
    draw(longest(attempts, is_ending), random)
}

/// The pause after the `attempts`-th attempt failed.
pub(super) fn pause(
    attempts: u32,
    delay: &Delay,
    provider: Provider,
    is_ending: bool,
    random: &Random,
) -> Pause {
    let longest = longest(attempts, is_ending);
    let drawn = draw(longest, random);
    let asked_for = match delay.retry_after {
        Some(asked_for) => asked_for,
        None if delay.cause() == RetryCause::Http429 && provider == Provider::Fcm => {
            QUOTA.saturating_mul(1 << attempts.saturating_sub(1).min(3)).min(LONGEST)
        }
        // One device that gets too much: half of what a failing service gets is certain.
        None if delay.scope() == Scope::Device => longest / 2,
        None => Duration::ZERO,
    };
    let whole = asked_for.saturating_add(drawn);
    Pause { whole: delay.at_latest.map_or(whole, |latest| whole.min(latest)), asked_for }
}

fn longest(attempts: u32, is_ending: bool) -> Duration {
    let doubled = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    doubled.min(if is_ending { LONGEST_AT_THE_END } else { LONGEST })
}

fn draw(longest: Duration, random: &Random) -> Duration {
    longest.mul_f64(random.fraction()).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{RejectionReason, Why, fcm::FcmReason};

    fn delay(reason: &str, retry_after: Option<Duration>) -> Delay {
        let reason = RejectionReason::Fcm(FcmReason::from_google(reason));
        Delay { retry_after, ..Why::Refused(reason).into() }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_are_drawn_anew() {
        let unavailable = delay("UNAVAILABLE", None);
        let longest = |attempts| {
            (0..200)
                .map(|_| {
                    pause(attempts, &unavailable, Provider::Fcm, false, &Random::default()).whole
                })
                .max()
                .unwrap_or_default()
        };
        assert!(longest(1) <= FIRST);
        assert!(longest(4) > FIRST && longest(4) <= 8 * FIRST);
        assert!(longest(40) > LONGEST / 2 && longest(40) <= LONGEST);
    }

    #[test]
    fn what_the_push_service_asks_for_is_kept() {
        let minute = Duration::from_secs(60);
        for (reason, retry_after, at_least) in [
            ("UNAVAILABLE", Some(minute), minute),
            ("QUOTA_EXCEEDED", None, minute),
            ("QUOTA_EXCEEDED", Some(Duration::from_secs(5)), Duration::from_secs(5)),
        ] {
            let delay = delay(reason, retry_after);
            let pause = pause(1, &delay, Provider::Fcm, false, &Random::default());
            assert_eq!(pause.asked_for, at_least, "{reason}");
            assert!(pause.whole >= at_least && pause.whole <= at_least + FIRST, "{reason}");
        }
    }
}
