//! Lets connections fall silent, and cuts them.

use std::pin::pin;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The state of all connections of a fake.
pub(super) struct Lines {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    silent: bool,
    /// Connections taken before this number changed are cut.
    cuts: u64,
}

/// What one connection hears of it.
pub(in crate::sandbox) struct Line {
    number: u64,
    cuts: u64,
    state: watch::Receiver<State>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::default()) }
    }
}

impl Lines {
    pub(super) fn set_silent(&self, silent: bool) {
        self.state.send_modify(|state| state.silent = silent);
    }

    pub(super) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    pub(super) fn take(&self, number: u64) -> Line {
        let state = self.state.subscribe();
        let cuts = state.borrow().cuts;
        Line { number, cuts, state }
    }
}

impl Line {
    /// The connection's number, from 1 on.
    pub(in crate::sandbox) const fn number(&self) -> u64 {
        self.number
    }

    /// Lets `connection` go on whenever the line is not silent, until it ends or the line is cut;
    /// a silent line ends with `end` at once.
    ///
    /// A connection that is not polled neither reads nor writes: what the client sends stays in
    /// the system's buffers, as on a line that has gone dead.
    pub(in crate::sandbox) async fn carry<F: Future>(
        mut self,
        connection: F,
        end: CancellationToken,
    ) -> Option<F::Output> {
        let mut connection = pin!(connection);
        loop {
            let State { silent, cuts } = *self.state.borrow_and_update();
            if cuts != self.cuts {
                return None;
            }
            tokio::select! {
                biased;
                changed = self.state.changed() => changed.ok()?,
                () = end.cancelled(), if silent => return None,
                output = &mut connection, if !silent => return Some(output),
            }
        }
    }
}
