//! Whether the database answers, and whether what other nodes announce arrives.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{DbErr, RuntimeErr};
use tokio::sync::watch;

use crate::{clock::Clock, metrics::Metrics};

/// Who listens is believed to hear everything for so long after the database answered on the same connection.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// For so long after a question without an answer, connections are looked at before they are used again.
const IN_DOUBT_FOR: Duration = Duration::from_secs(10);

/// Nobody listens.
const NEVER: u64 = u64::MAX;

/// What is known of the contact to the database.
///
/// Only PostgreSQL is ever gone, and only where somebody watches it ([`super::Registry::keep_listening`]).
/// Moments are nanoseconds that the clock has run.
pub(super) struct Contact {
    clock: Clock,
    metrics: Arc<Metrics>,
    is_gone: watch::Sender<bool>,
    answered_at: AtomicU64,
    in_doubt_until: AtomicU64,
    listening_since: AtomicU64,
    believed_until: AtomicU64,
}

impl Contact {
    pub(super) fn new(clock: Clock, metrics: Arc<Metrics>) -> Self {
        metrics.database_available.set(1);
        Self {
            clock,
            metrics,
            is_gone: watch::Sender::new(false),
            answered_at: AtomicU64::new(0),
            in_doubt_until: AtomicU64::new(0),
            listening_since: AtomicU64::new(NEVER),
            believed_until: AtomicU64::new(0),
        }
    }

    /// The current moment.
    pub(super) fn now(&self) -> u64 {
        nanoseconds(self.clock.running())
    }

    /// Notes that the database answered.
    pub(super) fn answered(&self) {
        self.answered_at.store(self.now(), Ordering::Relaxed);
    }

    /// Whether it answered within this time.
    pub(super) fn has_answered_within(&self, time: Duration) -> bool {
        let answered_at = self.answered_at.load(Ordering::Relaxed);
        self.now().saturating_sub(answered_at) <= nanoseconds(time)
    }

    /// Whether the database is known to be gone.
    pub(super) fn is_gone(&self) -> bool {
        *self.is_gone.borrow()
    }

    /// Notes that the database cannot be reached, or can again; whether that is news.
    pub(super) fn set_gone(&self, is_gone: bool) -> bool {
        self.metrics.database_available.set(i64::from(!is_gone));
        self.is_gone.send_if_modified(|known| std::mem::replace(known, is_gone) != is_gone)
    }

    /// Does what needs the database, unless and until it is known to be gone.
    pub(super) async fn unless_gone<T, E: From<DbErr>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut is_gone = self.is_gone.subscribe();
        tokio::select! {
            biased;
            _ = is_gone.wait_for(|is_gone| *is_gone) => Err(no_answer().into()),
            done = work => done,
        }
    }

    /// Waits while the database is known to be gone.
    pub(super) async fn until_not_gone(&self) {
        let mut is_gone = self.is_gone.subscribe();
        // Whoever waits keeps the sender, so this cannot fail.
        let _ = is_gone.wait_for(|is_gone| !is_gone).await;
    }

    /// Notes that a question got no answer in time.
    pub(super) fn doubt(&self) {
        let until = self.now().saturating_add(nanoseconds(IN_DOUBT_FOR));
        self.in_doubt_until.store(until, Ordering::Relaxed);
    }

    /// Whether a connection may be one on which nobody answers any more.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_gone() || self.now() < self.in_doubt_until.load(Ordering::Relaxed)
    }

    /// Notes that what is announced from now on arrives; what was learnt before may be no longer true.
    pub(super) fn listen(&self) {
        self.listening_since.store(self.now(), Ordering::Release);
        self.metrics.database_listening.set(1);
    }

    /// Notes that all that was announced before `moment` has arrived.
    pub(super) fn hear(&self, moment: u64) {
        let until = moment.saturating_add(nanoseconds(BELIEVED_FOR));
        self.believed_until.store(until, Ordering::Release);
    }

    /// Notes that nothing arrives any more.
    pub(super) fn stop_listening(&self) {
        self.listening_since.store(NEVER, Ordering::Release);
        self.metrics.database_listening.set(0);
    }

    /// Whether `now` a change would be known of what was true at `moment`, unless it is less than a second old.
    pub(super) fn hears_since(&self, moment: u64, now: u64) -> bool {
        self.listening_since.load(Ordering::Acquire) <= moment
            && now < self.believed_until.load(Ordering::Acquire)
    }

    /// Counts an answer that was given from memory because the database gave none.
    pub(super) fn count_from_memory(&self) {
        self.metrics.database_answers_from_memory.inc();
    }
}

/// The failure of a question that was not put, or got no answer.
pub(super) fn no_answer() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal("the database does not answer".to_owned()))
}

/// In 584 years it is full.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
