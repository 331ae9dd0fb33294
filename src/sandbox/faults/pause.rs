//! A delay of every answer that can be changed while a sandbox server runs.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A delay and its spread, both zero at first.
#[derive(Default)]
pub(super) struct Pause {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    delay: Duration,
    spread: Duration,
    seed: u64,
    /// Where the seed has got to.
    drawn: u64,
}

impl Pause {
    pub(super) fn set(&self, delay: Duration) {
        self.state().delay = delay;
    }

    pub(super) fn set_spread(&self, spread: Duration, seed: u64) {
        let mut state = self.state();
        (state.spread, state.seed, state.drawn) = (spread, seed, seed);
    }

    /// The delay, its spread, and the seed that was given.
    pub(super) fn now(&self) -> (Duration, Duration, u64) {
        let state = self.state();
        (state.delay, state.spread, state.seed)
    }

    /// The delay of the next answer.
    pub(super) fn next(&self) -> Duration {
        let mut state = self.state();
        if state.spread.is_zero() {
            return state.delay;
        }
        // The upper 53 bits make a number from 0 to 1, 1 left out.
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "53 bits are exact")]
        let part = (draw(&mut state.drawn) >> 11) as f64 / (1_u64 << 53) as f64;
        state.delay + state.spread.mul_f64(part)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next number of Vigna's [SplitMix64](https://prng.di.unimi.it/splitmix64.c): enough for
/// delays, and the same on every machine.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut number = *seed;
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(seed: u64) -> Vec<Duration> {
        let pause = Pause::default();
        pause.set(Duration::from_millis(10));
        pause.set_spread(Duration::from_millis(5), seed);
        (0..100).map(|_| pause.next()).collect()
    }

    #[test]
    fn a_spread_lies_above_the_delay_and_follows_from_its_seed() {
        let pauses = some(1);
        assert!(pauses.iter().all(|pause| (10..15).contains(&pause.as_millis())), "{pauses:?}");
        assert_eq!(pauses, some(1));
        assert_ne!(pauses, some(2));
    }
}
