//! The time in which our memory of devices may have holes, the same on all nodes.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Brake;
use crate::{clock::Timestamp, registry::RegistryError};

/// Until when; the Unix epoch where there is no such time.
#[derive(Default)]
pub(super) struct Holes {
    until: AtomicI64,
}

impl Holes {
    /// Whether it is not over at this moment.
    pub(super) fn may_be(&self, now: Timestamp) -> bool {
        now.unix_millis() < self.until.load(Ordering::Relaxed)
    }
}

impl Brake {
    /// Reads until when it lasts. Who makes it longer may have brought devices that are not known here.
    pub(super) async fn look_for_holes(&self) -> Result<(), RegistryError> {
        let periods = self.inner.registry.tombstone_periods().await?;
        let until = periods.iter().map(|period| period.ends_at.unix_millis()).max().unwrap_or(0);
        let before = self.inner.holes.until.swap(until, Ordering::Relaxed);
        if until > before {
            self.inner.registry.forget_devices();
            if before == 0 {
                tracing::info!(
                    event = "devices.holes",
                    until = Timestamp::from_unix_millis(until).unix_seconds(),
                    "chat servers are told only of devices that are known to be gone: there was an import, or a backup was restored",
                );
            }
        }
        Ok(())
    }
}
