//! What a sandbox server has counted since its start or its last reset.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The numbers of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Connections that finished their TLS handshake.
    pub connections: u64,
    /// Notifications accepted.
    pub accepted: u64,
    /// Notifications refused, by the service's own word for the reason.
    pub refused: BTreeMap<Cow<'static, str>, u64>,
    /// Streams reset with `REFUSED_STREAM` because the client had as many open as it may.
    pub refused_streams: u64,
    /// Access tokens given out; always 0 for Apple, which gives out none.
    pub access_tokens: u64,
}

impl Counters {
    /// Notifications answered, accepted and refused together.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.accepted + self.refused.values().sum::<u64>()
    }
}

/// The same numbers while they move.
#[derive(Default)]
pub(super) struct LiveCounters {
    pub(super) connections: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused_streams: AtomicU64,
    pub(super) access_tokens: AtomicU64,
    refused: Mutex<BTreeMap<Cow<'static, str>, u64>>,
}

/// How many different reasons are told apart; the rest is counted under `other`.
const REASONS_LIMIT: usize = 256;

impl LiveCounters {
    /// Counts a refusal.
    pub(super) fn refuse(&self, reason: Cow<'static, str>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let full = refused.len() >= REASONS_LIMIT && !refused.contains_key(&reason);
        let reason = if full { Cow::Borrowed("other") } else { reason };
        *refused.entry(reason).or_default() += 1;
    }

    /// The numbers of this moment.
    pub(super) fn now(&self) -> Counters {
        Counters {
            connections: self.connections.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            refused_streams: self.refused_streams.load(Ordering::Relaxed),
            access_tokens: self.access_tokens.load(Ordering::Relaxed),
        }
    }

    /// Starts again from zero.
    pub(super) fn reset(&self) {
        for counter in
            [&self.connections, &self.accepted, &self.refused_streams, &self.access_tokens]
        {
            counter.store(0, Ordering::Relaxed);
        }
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
