//! A time at which nothing happens by itself.

use push_bouncer::clock::{Clock, Timestamp};

/// Tokens for Apple change with these steps of the clock, in seconds.
const STEP: i64 = 25 * 60;

/// A step begins a minute late.
const AFTER_ITS_BEGIN: i64 = 90;

const DAY: i64 = 24 * 60 * 60;

/// A clock that shows the beginning of one of the next steps, in which no day ends: a test that lasts, or
/// moves the clock by, less than twenty minutes sees no token and no date change.
pub(super) fn clock() -> Clock {
    let now = Clock::default().now().unix_seconds();
    Clock::starting_at(Timestamp::from_unix_seconds(calm_after(now)))
}

fn calm_after(now: i64) -> i64 {
    let begin = (now / STEP + 1) * STEP;
    let day_ends_in = DAY - begin % DAY;
    let begin = if day_ends_in < STEP + AFTER_ITS_BEGIN { begin + STEP } else { begin };
    begin + AFTER_ITS_BEGIN
}

#[test]
fn a_calm_time_is_ahead_and_in_one_day() {
    for now in (0..3 * DAY).step_by(7) {
        let calm = calm_after(now);
        assert!((now..=now + 2 * STEP + AFTER_ITS_BEGIN).contains(&calm), "{now}");
        assert_eq!(calm % STEP, AFTER_ITS_BEGIN, "{now}");
        assert_eq!(calm / DAY, (calm + STEP - AFTER_ITS_BEGIN) / DAY, "{now}");
    }
}
