//! A push service of bare HTTP/2 frames, which does what no library would do.
//!
//! A script is called at the head of every request; it answers, refuses, leaves or keeps silent.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedMutexGuard, mpsc},
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// Room for all bodies of a test.
const WINDOW: u32 = 1 << 30;
/// `:status: 200` in the static table of HPACK.
const STATUS_200: u8 = 0x88;

/// Codes of RFC 9113 section 7.
pub(super) const NO_ERROR: u32 = 0;
pub(super) const INTERNAL_ERROR: u32 = 2;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// What is done with a request: the connection, the stream, and which request of the connection it is,
/// from 1.
pub(super) type Script = dyn Fn(&Arc<Line>, u32, usize) + Send + Sync;

/// Through which every connection comes that was accepted.
type Door = tokio::sync::Mutex<()>;

/// The push service; dropping it ends its connections.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    lines: Arc<Mutex<Vec<Arc<Line>>>>,
    door: Arc<Door>,
    _accepting: JoinSet<()>,
}

/// One connection to it.
pub(super) struct Line {
    /// Which connection it is, from 1.
    pub(super) number: usize,
    frames: mpsc::UnboundedSender<Vec<u8>>,
    is_silent: AtomicBool,
    is_closed: AtomicBool,
    seen: Mutex<Seen>,
}

/// What was seen on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The head of each request, compressed.
    pub(super) heads: Vec<Vec<u8>>,
    /// Streams without an answer yet.
    pub(super) open: Vec<u32>,
    /// The most of them at a time.
    pub(super) most_open: usize,
    pub(super) answered: usize,
    /// Requests above the limit that the client had acknowledged.
    pub(super) violations: usize,
    /// PINGs.
    pub(super) pings: usize,
    limits: Vec<u32>,
    acknowledged: usize,
}

impl Peer {
    /// Listens on loopback; each connection begins with a limit of `streams`.
    pub(super) async fn start(
        tls: Arc<ServerConfig>,
        streams: u32,
        script: impl Fn(&Arc<Line>, u32, usize) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lines: Arc<Mutex<Vec<Arc<Line>>>> = Arc::default();
        let (known, script): (_, Arc<Script>) = (Arc::clone(&lines), Arc::new(script));
        let door: Arc<Door> = Arc::default();
        let way_in = Arc::clone(&door);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (frames, outgoing) = mpsc::unbounded_channel();
                let line = {
                    let mut lines = known.lock().unwrap();
                    let line = Arc::new(Line::new(lines.len() + 1, frames));
                    lines.push(Arc::clone(&line));
                    line
                };
                let (tls, script) = (Arc::clone(&tls), Arc::clone(&script));
                let door = Arc::clone(&way_in);
                serving.spawn(async move {
                    drop(door.lock().await);
                    // It ends when the client leaves, however it does so.
                    let _ = serve(tcp, tls, &line, outgoing, streams, &*script).await;
                    line.is_closed.store(true, SeqCst);
                });
            }
        });
        Self { address, lines, door, _accepting: accepting }
    }

    /// Lets no further connection begin with TLS until what it gives is dropped.
    pub(super) async fn close_the_door(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.door).lock_owned().await
    }

    /// All connections there ever were.
    pub(super) fn lines(&self) -> Vec<Arc<Line>> {
        self.lines.lock().unwrap().clone()
    }

    /// How many requests were answered.
    pub(super) fn answered(&self) -> usize {
        self.lines().iter().map(|line| line.seen().answered).sum()
    }

    /// How many requests arrived.
    pub(super) fn arrived(&self) -> usize {
        self.lines().iter().map(|line| line.seen().heads.len()).sum()
    }
}

impl Line {
    fn new(number: usize, frames: mpsc::UnboundedSender<Vec<u8>>) -> Self {
        let (is_silent, is_closed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { number, frames, is_silent, is_closed, seen: Mutex::default() }
    }

    fn note(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// What was seen on it so far.
    pub(super) fn seen(&self) -> Seen {
        self.note().clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }

    /// Takes the push, unless its stream is over.
    pub(super) fn answer(&self, stream: u32) {
        let mut seen = self.note();
        let before = seen.open.len();
        seen.open.retain(|open| *open != stream);
        if seen.open.len() < before {
            seen.answered += 1;
            self.send(HEADERS, END_STREAM | END_HEADERS, stream, &[STATUS_200]);
        }
    }

    /// Takes the push, and begins a body that has no end.
    pub(super) fn begin_answer(&self, stream: u32) {
        self.note().answered += 1;
        self.send(HEADERS, END_HEADERS, stream, &[STATUS_200]);
        self.send(DATA, 0, stream, b"{\"name\": \"pro");
    }

    pub(super) fn answer_after(self: &Arc<Self>, stream: u32, pause: Duration) {
        let line = Arc::clone(self);
        tokio::spawn(async move {
            sleep(pause).await;
            line.answer(stream);
        });
    }

    pub(super) fn reset(&self, stream: u32, code: u32) {
        self.note().open.retain(|open| *open != stream);
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    /// Leaves: streams above `last` are not looked at.
    pub(super) fn goaway(&self, last: u32, code: u32, text: &str) {
        self.note().open.retain(|open| *open <= last);
        let payload = [&last.to_be_bytes()[..], &code.to_be_bytes(), text.as_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload);
    }

    /// Ends the connection behind what was said.
    pub(super) fn close(&self) {
        let _ = self.frames.send(Vec::new());
    }

    /// Allows another number of streams.
    pub(super) fn limit(&self, streams: u32) {
        self.note().limits.push(streams);
        let payload = [&3_u16.to_be_bytes()[..], &streams.to_be_bytes()].concat();
        self.send(SETTINGS, 0, 0, &payload);
    }

    /// Sends nothing from now on, and does not close.
    pub(super) fn fall_silent(&self) {
        self.is_silent.store(true, SeqCst);
    }

    fn send(&self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        if self.is_silent.load(SeqCst) {
            return;
        }
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        // The client may have gone.
        let _ = self.frames.send([&head[..], payload].concat());
    }

    fn arrives(&self, stream: u32, head: Vec<u8>) -> usize {
        let mut seen = self.note();
        let limit = seen.acknowledged.checked_sub(1).map(|newest| seen.limits[newest]);
        if limit.is_some_and(|limit| seen.open.len() >= limit as usize) {
            seen.violations += 1;
        }
        seen.open.push(stream);
        seen.most_open = seen.most_open.max(seen.open.len());
        seen.heads.push(head);
        seen.heads.len()
    }
}

async fn serve(
    tcp: TcpStream,
    tls: Arc<ServerConfig>,
    line: &Arc<Line>,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
    streams: u32,
    script: &Script,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let (mut reading, mut writing) = tokio::io::split(TlsAcceptor::from(tls).accept(tcp).await?);
    line.limit(streams);
    line.send(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
    let mut preface = [0; PREFACE.len()];
    reading.read_exact(&mut preface).await?;
    assert_eq!(preface, PREFACE);
    let write = async {
        // An empty one is the end.
        while let Some(frame) = outgoing.recv().await.filter(|frame| !frame.is_empty()) {
            writing.write_all(&frame).await?;
            writing.flush().await?;
        }
        io::Result::Ok(())
    };
    let read = async {
        loop {
            let (kind, flags, stream, payload) = frame(&mut reading).await?;
            match kind {
                HEADERS => {
                    assert_ne!(flags & END_HEADERS, 0, "a head fits into one frame");
                    let number = line.arrives(stream, payload);
                    script(line, stream, number);
                }
                SETTINGS if flags & ACK == 0 => line.send(SETTINGS, ACK, 0, &[]),
                SETTINGS => line.note().acknowledged += 1,
                PING if flags & ACK == 0 => {
                    line.note().pings += 1;
                    line.send(PING, ACK, 0, &payload);
                }
                RST_STREAM => line.note().open.retain(|open| *open != stream),
                _ => {}
            }
        }
    };
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
    }
}

async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    Ok((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}
