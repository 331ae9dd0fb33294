//! What is asked of the writer of frames while it writes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::AsyncWrite;

/// What the connection asks of the writer below it; clones speak to the same writer.
#[derive(Clone, Default)]
pub(in crate::sandbox) struct Wire {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    limit: AtomicU32,
    /// Set while there may be something in `injected`, which is looked into only then.
    has_injected: AtomicBool,
    injected: Mutex<BytesMut>,
    is_flushed: AtomicBool,
    is_closing: AtomicBool,
}

impl Wire {
    /// Announces this limit at first.
    pub(in crate::sandbox) fn new(limit: u32) -> Self {
        let wire = Self::default();
        wire.announce(limit);
        wire
    }

    /// The limit that the next SETTINGS frame announces.
    pub(in crate::sandbox) fn announced(&self) -> u32 {
        self.shared.limit.load(Ordering::Relaxed)
    }

    /// Announces this limit in the next SETTINGS frame.
    pub(in crate::sandbox) fn announce(&self, limit: u32) {
        self.shared.limit.store(limit, Ordering::Relaxed);
    }

    /// Writes this whole frame before the next flush ends.
    pub(in crate::sandbox) fn inject(&self, frame: &[u8]) {
        let mut injected = self.shared.injected.lock().unwrap_or_else(PoisonError::into_inner);
        injected.extend_from_slice(frame);
        self.shared.has_injected.store(true, Ordering::Release);
    }

    /// Forgets that anything was flushed; see [`Wire::is_flushed`].
    pub(in crate::sandbox) fn expect_flush(&self) {
        self.shared.is_flushed.store(false, Ordering::Release);
    }

    /// Whether everything has been written since [`Wire::expect_flush`].
    pub(in crate::sandbox) fn is_flushed(&self) -> bool {
        self.shared.is_flushed.load(Ordering::Acquire)
    }

    /// Writes nothing more, and closes this direction with the next flush.
    pub(in crate::sandbox) fn close(&self) {
        self.shared.is_closing.store(true, Ordering::Release);
    }

    /// Whether [`Wire::close`] was asked for.
    pub(super) fn is_closing(&self) -> bool {
        self.shared.is_closing.load(Ordering::Acquire)
    }

    /// Notes that everything has been written.
    pub(super) fn note_flush(&self) {
        self.shared.is_flushed.store(true, Ordering::Release);
    }

    /// Writes what was injected; to be called between two frames.
    pub(super) fn poll_injected<T: AsyncWrite + Unpin>(
        &self,
        io: &mut T,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.shared.has_injected.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let mut injected = self.shared.injected.lock().unwrap_or_else(PoisonError::into_inner);
        while !injected.is_empty() {
            let written = ready!(Pin::new(&mut *io).poll_write(context, &injected))?;
            injected.advance(written);
        }
        self.shared.has_injected.store(false, Ordering::Release);
        Poll::Ready(Ok(()))
    }
}
