//! Tells tokens that were known when all were revoked or expired from those that came later.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of a token before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum TokenAge {
    /// Nothing.
    Live,
    /// It was ended as if it were too old.
    Expired,
    /// It is known no more.
    Revoked,
}

/// Counts the ends of all tokens. A token is stamped with the number of its time.
#[derive(Default)]
pub(super) struct Generations {
    now: AtomicU64,
    revoked_before: AtomicU64,
    expired_before: AtomicU64,
}

impl Generations {
    pub(super) fn revoke(&self) {
        self.end(&self.revoked_before);
    }

    pub(super) fn expire(&self) {
        self.end(&self.expired_before);
    }

    pub(super) fn stamp(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    pub(super) fn age(&self, stamp: u64) -> TokenAge {
        if stamp < self.revoked_before.load(Ordering::Acquire) {
            TokenAge::Revoked
        } else if stamp < self.expired_before.load(Ordering::Acquire) {
            TokenAge::Expired
        } else {
            TokenAge::Live
        }
    }

    fn end(&self, before: &AtomicU64) {
        let now = self.now.fetch_add(1, Ordering::AcqRel) + 1;
        before.fetch_max(now, Ordering::AcqRel);
    }
}
