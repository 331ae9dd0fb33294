//! A delay of every answer that can be changed while a sandbox server runs.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// Longer than a program runs, and short enough to be added to the time.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// A delay and its spread, both zero at first.
#[derive(Default)]
pub(super) struct Pause {
    /// Tells answers that wait when it changes.
    delay: watch::Sender<Duration>,
    spread: Mutex<Spread>,
}

#[derive(Default)]
struct Spread {
    spread: Duration,
    seed: u64,
    /// Where the seed has got to.
    drawn: u64,
}

impl Pause {
    pub(super) fn set(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }

    pub(super) fn set_spread(&self, spread: Duration, seed: u64) {
        *self.spread() = Spread { spread, seed, drawn: seed };
    }

    /// The delay, its spread, and the seed that was given.
    pub(super) fn now(&self) -> (Duration, Duration, u64) {
        let spread = self.spread();
        (*self.delay.borrow(), spread.spread, spread.seed)
    }

    /// Waits the delay of one answer, and `longer` besides. A delay that is changed meanwhile counts
    /// as if it had been so from the beginning.
    pub(super) async fn wait(&self, longer: Duration) {
        let mut delay = self.delay.subscribe();
        let longer = longer + self.next_spread();
        let began = Instant::now();
        loop {
            let time = longer.saturating_add(*delay.borrow_and_update()).min(FOREVER);
            if time.is_zero() || timeout_at(began + time, delay.changed()).await.is_err() {
                return;
            }
        }
    }

    fn next_spread(&self) -> Duration {
        let mut spread = self.spread();
        if spread.spread.is_zero() {
            return Duration::ZERO;
        }
        // The upper 53 bits make a number from 0 to 1, 1 left out.
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "53 bits are exact")]
        let part = (draw(&mut spread.drawn) >> 11) as f64 / (1_u64 << 53) as f64;
        spread.spread.mul_f64(part)
    }

    fn spread(&self) -> MutexGuard<'_, Spread> {
        self.spread.lock().unwrap_or_else(PoisonError::into_inner)
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
        pause.set_spread(Duration::from_millis(5), seed);
        (0..100).map(|_| pause.next_spread()).collect()
    }

    #[test]
    fn a_spread_follows_from_its_seed() {
        let spreads = some(1);
        assert!(spreads.iter().all(|spread| spread.as_millis() < 5), "{spreads:?}");
        assert_eq!(spreads, some(1));
        assert_ne!(spreads, some(2));
    }

    #[tokio::test]
    async fn an_answer_that_waits_is_told_of_another_delay() {
        const LONGER: Duration = Duration::from_millis(20);
        let pause = Pause::default();
        pause.set(Duration::from_secs(3600));
        let began = Instant::now();
        let changing = async {
            tokio::task::yield_now().await;
            pause.set(Duration::ZERO);
        };
        tokio::join!(pause.wait(LONGER), changing);
        assert!(
            (LONGER..Duration::from_secs(3600)).contains(&began.elapsed()),
            "{:?}",
            began.elapsed()
        );
    }
}
