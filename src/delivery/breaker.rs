//! Holds the pushes of one app back while its push service fails, and finds out when it is well again.

mod recent;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use recent::{Recent, Tally};

/// So many failures in a row, and nothing is sent for a while.
const CONSECUTIVE: u32 = 20;

/// Or so many whose credentials were refused: one alone may be about its device, whatever it says.
const REFUSED: u32 = 3;

/// Or half of at least so many pushes within the last while, see [`recent`].
const ENOUGH: u32 = 100;

/// The first pause before a probe; it doubles with each that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A probe that has said nothing for so long is given up: an attempt takes less, see `attempt_timeout`, which counts once
/// for its place, once for the answer, and once more after a standstill.
const PROBE_PATIENCE: Duration = Duration::from_secs(200);

/// Where others wait for a probe's result, they ask again after this; when it is good, they are woken.
const ASK_AGAIN: Duration = Duration::from_secs(4);

/// The breaker of one app. Moments are those of [`crate::clock::Clock::running`].
#[derive(Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    consecutive: u32,
    /// Of these, those whose credentials were refused.
    refused: u32,
    recent: Recent,
    open: Option<Open>,
    /// Counts up with each opening, closing and probe: what was begun before says nothing any more.
    epoch: u64,
}

struct Open {
    until: Duration,
    pause: Duration,
    /// A probe is under way, and is waited for until then.
    probe: Option<Duration>,
}

/// With which a result is told: it counts for the time its push was begun in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// May a push be sent?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// Yes.
    Free(Ticket),
    /// Yes, to find out whether the push service is well again.
    Probe(Ticket),
    /// Not before this moment.
    Not(Duration),
}

/// What a result changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// Pushes are held back from now on, at least for so long.
    Opened(Duration),
    /// They are sent again.
    Closed,
}

impl Breaker {
    /// May a push be sent now? Whoever gets [`Permit::Probe`] must tell the result.
    pub(super) fn permit(&self, now: Duration) -> Permit {
        let mut state = self.state();
        let State { open, epoch, .. } = &mut *state;
        let Some(open) = open else { return Permit::Free(Ticket(*epoch)) };
        if let Some(patience) = open.probe
            && now < patience
        {
            return Permit::Not(now + ASK_AGAIN);
        }
        if now < open.until {
            return Permit::Not(open.until);
        }
        open.probe = Some(now + PROBE_PATIENCE);
        *epoch += 1;
        Permit::Probe(Ticket(*epoch))
    }

    /// What a push may tell that did not ask: nothing, while pushes are held back.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        let state = self.state();
        state.open.is_none().then_some(Ticket(state.epoch))
    }

    /// Notes that the push service does its work.
    pub(super) fn succeeded(&self, ticket: Ticket, now: Duration) -> Change {
        let mut state = self.state();
        if ticket.0 != state.epoch {
            return Change::None;
        }
        (state.consecutive, state.refused) = (0, 0);
        state.recent.count(now, false);
        if state.open.take().is_none() {
            return Change::None;
        }
        state.epoch += 1;
        state.recent.forget();
        Change::Closed
    }

    /// Notes that it does not; one push tells it once with the same ticket. `is_refused`: it does not take our
    /// credentials. `at_least`: it asked for so much time.
    pub(super) fn failed(
        &self,
        ticket: Ticket,
        now: Duration,
        is_refused: bool,
        at_least: Option<Duration>,
    ) -> Change {
        let mut state = self.state();
        // Of pushes that were under way when it opened nobody learns anything new.
        if ticket.0 != state.epoch {
            return Change::None;
        }
        state.consecutive = state.consecutive.saturating_add(1);
        state.refused = state.refused.saturating_add(is_refused.into());
        state.recent.count(now, true);
        // One answer may ask for an hour, and be about one device.
        let asked_for = at_least.unwrap_or_default().min(LONGEST_PAUSE);
        if let Some(open) = &mut state.open {
            open.probe = None;
            open.pause = open.pause.saturating_mul(2).min(LONGEST_PAUSE);
            open.until = now + open.pause.max(asked_for);
            state.epoch += 1;
            return Change::None;
        }
        let Tally { sends, failures } = state.recent.tally();
        let is_too_much = state.consecutive >= CONSECUTIVE
            || state.refused >= REFUSED
            || sends >= ENOUGH && failures.saturating_mul(2) >= sends;
        if !is_too_much {
            return Change::None;
        }
        let pause = FIRST_PAUSE.max(asked_for);
        state.epoch += 1;
        state.open = Some(Open { until: now + pause, pause: FIRST_PAUSE, probe: None });
        Change::Opened(pause)
    }

    /// Notes that the push service takes nothing more for so long, or a minute where it does not say how long.
    pub(super) fn used_up(
        &self,
        ticket: Ticket,
        now: Duration,
        at_least: Option<Duration>,
    ) -> Change {
        {
            let mut state = self.state();
            if ticket.0 == state.epoch {
                state.refused = REFUSED;
            }
        }
        self.failed(ticket, now, false, at_least.or(Some(LONGEST_PAUSE)))
    }

    /// Notes that a push told nothing: another one may be the probe.
    pub(super) fn told_nothing(&self, ticket: Ticket) {
        let mut state = self.state();
        if ticket.0 == state.epoch
            && let Some(open) = &mut state.open
        {
            open.probe = None;
            state.epoch += 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn free(breaker: &Breaker) -> Ticket {
        breaker.ticket().unwrap()
    }

    fn probe(breaker: &Breaker, now: Duration) -> Ticket {
        let Permit::Probe(ticket) = breaker.permit(now) else { panic!("no probe at {now:?}") };
        ticket
    }

    fn opened() -> Breaker {
        let breaker = Breaker::default();
        for _ in 1..CONSECUTIVE {
            assert_eq!(breaker.failed(free(&breaker), SECOND, false, None), Change::None);
        }
        let opened = breaker.failed(free(&breaker), SECOND, false, None);
        assert_eq!(opened, Change::Opened(FIRST_PAUSE));
        breaker
    }

    #[test]
    fn it_opens_after_twenty_failures_and_probes_one_at_a_time() {
        let breaker = opened();
        assert_eq!(breaker.permit(2 * SECOND), Permit::Not(6 * SECOND));
        let first = probe(&breaker, 6 * SECOND);
        assert!(matches!(breaker.permit(6 * SECOND), Permit::Not(_)));
        breaker.failed(first, 7 * SECOND, false, None);
        assert_eq!(breaker.permit(8 * SECOND), Permit::Not(17 * SECOND), "twice as long");
        let second = probe(&breaker, 17 * SECOND);
        assert_eq!(breaker.succeeded(second, 18 * SECOND), Change::Closed);
        assert!(matches!(breaker.permit(18 * SECOND), Permit::Free(_)));
    }

    #[test]
    fn what_was_under_way_when_it_opened_neither_closes_it_nor_is_a_probe() {
        let breaker = Breaker::default();
        let earlier = free(&breaker);
        for _ in 0..CONSECUTIVE {
            breaker.failed(earlier, SECOND, false, None);
        }
        assert_eq!(breaker.succeeded(earlier, SECOND), Change::None);
        assert_eq!(breaker.permit(2 * SECOND), Permit::Not(6 * SECOND));
        let ticket = probe(&breaker, 6 * SECOND);
        breaker.failed(earlier, 6 * SECOND, false, None);
        assert_eq!(breaker.succeeded(ticket, 7 * SECOND), Change::Closed);
    }

    #[test]
    fn a_probe_that_is_never_heard_of_does_not_block_for_ever() {
        let breaker = opened();
        let lost = probe(&breaker, 6 * SECOND);
        let next = probe(&breaker, 6 * SECOND + PROBE_PATIENCE);
        assert_eq!(breaker.succeeded(lost, 220 * SECOND), Change::None);
        breaker.told_nothing(next);
        probe(&breaker, 220 * SECOND);
    }

    #[test]
    fn half_of_a_hundred_within_the_window_is_too_much() {
        let tell = |breaker: &Breaker, number: u32, now| match number % 2 {
            0 => breaker.failed(free(breaker), now, false, None),
            _ => breaker.succeeded(free(breaker), now),
        };
        let breaker = Breaker::default();
        for number in 0..ENOUGH - 1 {
            assert_eq!(tell(&breaker, number, SECOND), Change::None);
        }
        let last = breaker.failed(free(&breaker), SECOND, false, None);
        assert!(matches!(last, Change::Opened(_)));

        let breaker = Breaker::default();
        for number in 0..10 * ENOUGH {
            // The same, but a minute apart.
            assert_eq!(tell(&breaker, number, SECOND * 60 * number), Change::None);
        }
    }

    #[test]
    fn credentials_that_are_refused_three_times_in_a_row_open_it() {
        let open = |at_least| {
            let breaker = Breaker::default();
            let refuse = || breaker.failed(free(&breaker), SECOND, true, at_least);
            for _ in 1..REFUSED {
                assert_eq!(refuse(), Change::None);
            }
            breaker.succeeded(free(&breaker), SECOND);
            for _ in 1..REFUSED {
                assert_eq!(refuse(), Change::None, "another push was taken");
            }
            refuse()
        };
        assert_eq!(open(None), Change::Opened(FIRST_PAUSE));
        assert_eq!(open(Some(30 * SECOND)), Change::Opened(30 * SECOND));
        assert_eq!(open(Some(3600 * SECOND)), Change::Opened(LONGEST_PAUSE));
    }
}
