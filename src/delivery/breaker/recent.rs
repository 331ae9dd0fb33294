//! How many pushes of the last half minute failed.

use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(30);

/// Pushes of the current half of the window, and of the one before it.
#[derive(Default)]
pub(super) struct Recent {
    current: Tally,
    previous: Tally,
    current_began: Duration,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) sends: u32,
    pub(super) failures: u32,
}

impl Recent {
    pub(super) fn count(&mut self, now: Duration, is_failure: bool) {
        let half = WINDOW / 2;
        let age = now.saturating_sub(self.current_began);
        if age >= half {
            self.previous = if age < WINDOW { self.current } else { Tally::default() };
            self.current = Tally::default();
            self.current_began = now;
        }
        self.current.sends += 1;
        self.current.failures += u32::from(is_failure);
    }

    /// What was counted so far says nothing any more.
    pub(super) fn forget(&mut self) {
        (self.current, self.previous) = (Tally::default(), Tally::default());
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            sends: self.current.sends + self.previous.sends,
            failures: self.current.failures + self.previous.failures,
        }
    }
}
