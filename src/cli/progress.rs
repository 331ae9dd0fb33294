//! How far a long command is: a line now and then for the person at the terminal.

use std::time::{Duration, Instant};

use super::output::Output;

/// How often a long command says how far it is.
const INTERVAL: Duration = Duration::from_secs(10);

/// What a long command says between its beginning and its end.
pub(super) struct Progress {
    output: Output,
    told: Instant,
}

impl Progress {
    /// Nothing is said in the beginning.
    pub(super) fn new(output: Output) -> Self {
        Self { output, told: Instant::now() }
    }

    /// Says this, when the last time is long enough ago.
    pub(super) fn tell(&mut self, text: impl FnOnce() -> String) {
        if self.told.elapsed() >= INTERVAL {
            self.told = Instant::now();
            self.output.talk(&text());
        }
    }
}
