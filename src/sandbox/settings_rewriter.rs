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

use std::{
    borrow::Cow,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const FRAME_HEADER: usize = 9;
const SETTINGS_FRAME: u8 = 4;
const ACKNOWLEDGEMENT: u8 = 1;
const MAX_CONCURRENT_STREAMS: u8 = 3;
const INITIAL_WINDOW_SIZE: u8 = 4;

/// What the connection asks of the writer below it; clones speak to the same writer.
#[derive(Clone, Default)]
pub(super) struct Wire {
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
    pub(super) fn new(limit: u32) -> Self {
        let wire = Self::default();
        wire.announce(limit);
        wire
    }

    /// The limit that the next SETTINGS frame announces.
    pub(super) fn announced(&self) -> u32 {
        self.shared.limit.load(Ordering::Relaxed)
    }

    /// Announces this limit in the next SETTINGS frame.
    pub(super) fn announce(&self, limit: u32) {
        self.shared.limit.store(limit, Ordering::Relaxed);
    }

    /// Writes this whole frame before the next flush ends.
    pub(super) fn inject(&self, frame: &[u8]) {
        let mut injected = self.shared.injected.lock().unwrap_or_else(PoisonError::into_inner);
        injected.extend_from_slice(frame);
        self.shared.has_injected.store(true, Ordering::Release);
    }

    /// Forgets that anything was flushed; see [`Wire::is_flushed`].
    pub(super) fn expect_flush(&self) {
        self.shared.is_flushed.store(false, Ordering::Release);
    }

    /// Whether everything has been written since [`Wire::expect_flush`].
    pub(super) fn is_flushed(&self) -> bool {
        self.shared.is_flushed.load(Ordering::Acquire)
    }

    /// Writes nothing more, and closes this direction with the next flush.
    pub(super) fn close(&self) {
        self.shared.is_closing.store(true, Ordering::Release);
    }

    fn is_closing(&self) -> bool {
        self.shared.is_closing.load(Ordering::Acquire)
    }
}

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
        let shared = &self.wire.shared;
        if self.frames.header_length != 0 || !shared.has_injected.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let mut injected = shared.injected.lock().unwrap_or_else(PoisonError::into_inner);
        while !injected.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(context, &injected))?;
            injected.advance(written);
        }
        shared.has_injected.store(false, Ordering::Release);
        Poll::Ready(Ok(()))
    }
}

/// Where in the outgoing frames the writer is; small, because it is copied for every write.
#[derive(Clone, Copy, Default)]
struct Frames {
    header: [u8; FRAME_HEADER],
    header_length: usize,
    payload_left: usize,
    in_settings: bool,
    first_settings_seen: bool,
    entry: Entry,
}

/// Where in the six bytes of a setting the writer is, and what is put over its value.
#[derive(Clone, Copy, Default)]
struct Entry {
    position: usize,
    identifier_high: u8,
    value: Option<[u8; 4]>,
}

impl Frames {
    /// Walks over `bytes` and gives back what is to be written instead of them: as many bytes.
    fn pass<'a>(&mut self, bytes: &'a [u8], limit: u32) -> Cow<'a, [u8]> {
        let mut output = Cow::Borrowed(bytes);
        let mut at = 0;
        while at < bytes.len() {
            let left = bytes.len() - at;
            if self.header_length < FRAME_HEADER {
                let taken = left.min(FRAME_HEADER - self.header_length);
                self.header[self.header_length..][..taken].copy_from_slice(&bytes[at..][..taken]);
                self.header_length += taken;
                at += taken;
                if self.header_length == FRAME_HEADER {
                    self.begin_payload();
                }
            } else if self.in_settings {
                output.to_mut()[at] = self.entry.pass(bytes[at], self.first_settings_seen, limit);
                self.payload_left -= 1;
                at += 1;
            } else {
                let taken = left.min(self.payload_left);
                self.payload_left -= taken;
                at += taken;
            }
            if self.header_length == FRAME_HEADER && self.payload_left == 0 {
                self.first_settings_seen |= self.in_settings;
                self.header_length = 0;
            }
        }
        output
    }

    fn begin_payload(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.payload_left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.in_settings = kind == SETTINGS_FRAME && flags & ACKNOWLEDGEMENT == 0;
        self.entry = Entry::default();
    }
}

impl Entry {
    fn pass(&mut self, byte: u8, first_settings_seen: bool, limit: u32) -> u8 {
        let replaced =
            if first_settings_seen { INITIAL_WINDOW_SIZE } else { MAX_CONCURRENT_STREAMS };
        let position = self.position;
        self.position = (position + 1) % 6;
        match position {
            0 => {
                self.identifier_high = byte;
                byte
            }
            1 if self.identifier_high == 0 && byte == replaced => {
                self.value = Some(limit.to_be_bytes());
                MAX_CONCURRENT_STREAMS
            }
            1 => {
                self.value = None;
                byte
            }
            _ => self.value.map_or(byte, |value| value[position - 2]),
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
        self.wire.shared.is_flushed.store(true, Ordering::Release);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 0], payload].concat()
    }

    fn setting(identifier: u8, value: u32) -> Vec<u8> {
        [&[0, identifier][..], &value.to_be_bytes()].concat()
    }

    fn settings(entries: &[(u8, u32)]) -> Vec<u8> {
        let entries: Vec<u8> = entries.iter().flat_map(|&(id, value)| setting(id, value)).collect();
        frame(SETTINGS_FRAME, 0, &entries)
    }

    /// What a server may send: settings, their acknowledgement, headers and data that look like
    /// settings, settings again.
    fn session(first: &[(u8, u32)], later: &[(u8, u32)]) -> Vec<u8> {
        [
            settings(first),
            frame(SETTINGS_FRAME, ACKNOWLEDGEMENT, &[]),
            frame(1, 4, &setting(INITIAL_WINDOW_SIZE, 5)),
            frame(0, 1, &settings(&[(MAX_CONCURRENT_STREAMS, 5)])),
            settings(later),
            frame(0, 1, &[7; 300]),
        ]
        .concat()
    }

    const FIRST: [(u8, u32); 4] = [(1, 4096), (3, 0x00ff_ffff), (4, 65_535), (6, 16_384)];

    #[test]
    fn the_first_frame_keeps_its_window_and_later_ones_trade_it_for_the_limit() {
        let sent = session(&FIRST, &[(4, 65_535)]);
        let expected = session(&[(1, 4096), (3, 1), (4, 65_535), (6, 16_384)], &[(3, 1)]);
        assert_eq!(Frames::default().pass(&sent, 1), expected);
    }

    #[test]
    fn frames_may_be_cut_at_every_byte() {
        let sent = session(&FIRST, &[(4, 65_535)]);
        let expected = Frames::default().pass(&sent, 0x0102_0304).into_owned();
        for cut in 0..=sent.len() {
            let mut frames = Frames::default();
            let (head, tail) = sent.split_at(cut);
            let parts = [frames.pass(head, 0x0102_0304), frames.pass(tail, 0x0102_0304)];
            assert_eq!(parts.concat(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn frames_without_settings_are_not_copied() {
        let mut frames = Frames::default();
        let _settings = frames.pass(&settings(&FIRST), 1).into_owned();
        assert!(matches!(frames.pass(&frame(0, 1, &[1, 2, 3]), 1), Cow::Borrowed(_)));
    }

    #[tokio::test]
    async fn a_limit_changed_between_two_frames_shows_in_the_second() {
        let wire = Wire::new(1);
        let mut rewriter = SettingsRewriter::new(io::Cursor::new(Vec::new()), wire.clone());
        rewriter.write_all(&settings(&FIRST)).await.unwrap();
        wire.announce(1000);
        rewriter.write_all(&settings(&[(4, 65_535)])).await.unwrap();
        let written = rewriter.io.into_inner();
        assert!(written.ends_with(&settings(&[(3, 1000)])));
        assert!(!rewriter_is_vectored());
    }

    fn rewriter_is_vectored() -> bool {
        SettingsRewriter::new(io::Cursor::new(Vec::new()), Wire::default()).is_write_vectored()
    }

    #[tokio::test]
    async fn an_injected_frame_waits_for_the_end_of_the_one_under_way() {
        let wire = Wire::new(1);
        let mut rewriter = SettingsRewriter::new(io::Cursor::new(Vec::new()), wire.clone());
        let (head, tail) = (&frame(0, 1, &[1; 20])[..15].to_vec(), &[1; 14]);
        let goaway = frame(7, 0, &[0; 8]);
        rewriter.write_all(head).await.unwrap();
        wire.inject(&goaway);
        rewriter.flush().await.unwrap();
        rewriter.write_all(tail).await.unwrap();
        rewriter.flush().await.unwrap();
        wire.close();
        rewriter.write_all(&frame(0, 1, &[2; 20])).await.unwrap();
        assert_eq!(rewriter.io.into_inner(), [frame(0, 1, &[1; 20]), goaway].concat());
    }

    #[tokio::test]
    async fn a_writer_that_takes_one_byte_at_a_time_gets_the_same_bytes() {
        let sent = session(&FIRST, &[(4, 65_535)]);
        let (near, mut far) = tokio::io::duplex(1);
        let mut rewriter = SettingsRewriter::new(near, Wire::new(9));
        let expected = Frames::default().pass(&sent, 9).into_owned();
        let reader = tokio::spawn(async move {
            let mut received = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut far, &mut received).await.unwrap();
            received
        });
        rewriter.write_all(&sent).await.unwrap();
        drop(rewriter);
        assert_eq!(reader.await.unwrap(), expected);
    }
}
