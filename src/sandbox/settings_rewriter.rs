//! Puts the stream limit of the moment into HTTP/2 SETTINGS frames on their way out.
//!
//! Apple advertises one concurrent stream until a connection has authenticated itself, and changes
//! the number at any time. The `h2` library can say `SETTINGS_MAX_CONCURRENT_STREAMS` only once, in
//! its first frame. So `h2` is told a limit that is never reached, and this writer between it and
//! TLS
//!
//! * replaces the value of that setting in the first SETTINGS frame, and
//! * in every later one (`h2` sends one, and expects its acknowledgement, when it is given the
//!   initial window size it already has) replaces the entry `SETTINGS_INITIAL_WINDOW_SIZE` by the
//!   limit.
//!
//! Both leave the length of the frame as it is. See [RFC 9113, section
//! 6.5](https://www.rfc-editor.org/rfc/rfc9113#section-6.5).
//!
//! Nor can `h2` say GOAWAY with a last stream id of one's choice, or close one direction of the
//! connection: [`Wire`] asks the writer for both, between two frames.

mod frames;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::frames::Frames;
pub(super) use self::wire::Wire;

/// A stream that announces `limit` instead of the number its writer believes in.
///
/// It does not offer vectored writes: `h2` then joins small frames instead of flushing each one as
/// a TLS record of its own.
pub(super) struct SettingsRewriter<T> {
    io: T,
    wire: Wire,
    frames: Frames,
}

impl<T> SettingsRewriter<T> {
    /// Announces the limit of `wire` at the time when a SETTINGS frame is written.
    pub(super) fn new(io: T, wire: Wire) -> Self {
        Self { io, wire, frames: Frames::default() }
    }
}

impl<T: AsyncWrite + Unpin> SettingsRewriter<T> {
    /// Writes what was injected, once no frame is under way.
    fn poll_injected(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.frames.is_between() {
            self.wire.poll_injected(&mut self.io, context)
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for SettingsRewriter<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for SettingsRewriter<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.wire.is_closing() {
            // Settings and windows are of no use to a client that has been told goodbye.
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_injected(context))?;
        let limit = self.wire.announced();
        let mut after = self.frames;
        let output = after.pass(bytes, limit);
        let written = ready!(Pin::new(&mut self.io).poll_write(context, &output))?;
        if written == bytes.len() {
            self.frames = after;
        } else {
            // The rest is offered again, so the walk goes on from what was really taken.
            self.frames.pass(&bytes[..written], limit);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_injected(context))?;
        ready!(Pin::new(&mut self.io).poll_flush(context))?;
        if self.wire.is_closing() {
            ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
        }
        self.wire.note_flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
