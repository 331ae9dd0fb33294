//! One HTTP/2 connection of a sandbox server: requests in, answers out, never more streams than the
//! limit of the moment.

mod exchange;
mod reply;
mod streams;

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use h2::{Reason, server::Builder};
use http::request::Parts;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    exchange::{End, exchange},
    streams::{Held, State, Streams},
};
use super::{
    faults::{Faults, Place},
    settings_rewriter::{SettingsRewriter, Wire},
};
pub(super) use exchange::BODY_LIMIT;
pub(super) use reply::{Reply, Wanted};

/// What `h2` believes the limit to be: never the one that decides.
const UNREACHED_LIMIT: u32 = 1 << 20;
/// The window of one stream; ours to repeat, see [`super::settings_rewriter`].
const STREAM_WINDOW: u32 = 65_535;
/// Wide enough that a thousand streams of the largest allowed body never wait for a window.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// How long HTTP/2's own handshake may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a client may take to leave once it has been told to, and everything was answered.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(1);
/// How long open streams may last once the server ends.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(3);

/// How many streams a client may have open at this moment: one until it has authenticated itself,
/// then the ceiling.
#[derive(Clone)]
pub(super) struct StreamLimit {
    ceiling: watch::Receiver<u32>,
    authenticated: Arc<AtomicBool>,
}

impl StreamLimit {
    /// A limit that follows `ceiling`, from the start or from the first authenticated request on.
    pub(super) fn new(ceiling: watch::Receiver<u32>, authenticated: bool) -> Self {
        Self { ceiling, authenticated: Arc::new(AtomicBool::new(authenticated)) }
    }

    /// Lets the ceiling rule from now on.
    pub(super) fn authenticate(&self) {
        self.authenticated.store(true, Ordering::Relaxed);
    }

    fn current(&self, ceiling: u32) -> u32 {
        if self.authenticated.load(Ordering::Relaxed) { ceiling } else { ceiling.min(1) }
    }
}

/// What a connection answers with, and what it takes note of.
pub(super) struct Surface<'a> {
    /// The number of the connection.
    pub(super) number: u64,
    /// How many streams the client may have open.
    pub(super) limit: StreamLimit,
    /// Counts streams above the limit.
    pub(super) refused: &'a AtomicU64,
    /// What goes wrong on purpose.
    pub(super) faults: &'a Faults,
}

/// Answers requests until the client leaves or `end` is cancelled.
pub(super) async fn serve<T, A, F>(io: T, surface: Surface<'_>, end: CancellationToken, answer: A)
where
    T: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Place, Parts, Bytes) -> F,
    F: Future<Output = Reply>,
{
    let Surface { number, limit, refused, faults } = surface;
    let mut ceilings = limit.ceiling.clone();
    let mut ceiling = *ceilings.borrow_and_update();
    let wire = Wire::new(limit.current(ceiling));
    let handshake = Builder::new()
        .max_concurrent_streams(UNREACHED_LIMIT)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(SettingsRewriter::new(io, wire.clone()));
    let Ok(Ok(mut connection)) = timeout(HANDSHAKE_DEADLINE, handshake).await else { return };

    let mut exchanges = FuturesUnordered::new();
    let mut streams = Streams::of(number);
    let mut last_moment: Option<Instant> = None;
    loop {
        // Everything that has arrived is taken in, then everything that can be answered is
        // answered, then both are flushed together: one TLS record and one system call for many
        // answers.
        let run = poll_fn(|context| {
            loop {
                wire.expect_flush();
                match pin!(connection.accept()).poll(context) {
                    Poll::Ready(Some(Ok((request, mut respond)))) => {
                        if !streams.arrive(&respond, faults, &wire) {
                            let body = Some(request.into_body());
                            streams.held.push(Held { _body: body, respond });
                            continue;
                        }
                        let allowed = limit.current(ceiling) as usize;
                        if exchanges.len() >= allowed {
                            // The client may have cancelled one of them in the same breath.
                            if advance(&mut exchanges, context, &mut streams, &wire).is_err() {
                                return Poll::Ready(Run::Ended);
                            }
                        }
                        if exchanges.len() < allowed {
                            exchanges.push(exchange(streams.place, request, respond, &answer));
                        } else {
                            refused.fetch_add(1, Ordering::Relaxed);
                            respond.send_reset(Reason::REFUSED_STREAM);
                        }
                        continue;
                    }
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Run::Ended),
                    Poll::Pending => {}
                }
                let Ok(mut progress) = advance(&mut exchanges, context, &mut streams, &wire) else {
                    return Poll::Ready(Run::Ended);
                };
                let current = limit.current(ceiling);
                // Refused while the client owes an acknowledgement; its arrival brings us here
                // again.
                if current != wire.announced()
                    && connection.set_initial_window_size(STREAM_WINDOW).is_ok()
                {
                    wire.announce(current);
                    progress = true;
                }
                if !progress {
                    let finished = streams.state == State::Leaving
                        && exchanges.is_empty()
                        && wire.is_flushed();
                    return if finished { Poll::Ready(Run::Finished) } else { Poll::Pending };
                }
            }
        });
        tokio::select! {
            biased;
            run = run => match run {
                Run::Ended => return,
                // The client is to read all before the connection goes: it hears the end of this
                // direction, and closes its own.
                Run::Finished => {
                    wire.close();
                    streams.state = State::Left;
                    last_moment = Some(Instant::now() + GOODBYE_DEADLINE);
                }
            },
            new = changed(&mut ceilings) => ceiling = new,
            () = end.cancelled(), if last_moment.is_none() => {
                connection.graceful_shutdown();
                last_moment = Some(Instant::now() + SHUTDOWN_DEADLINE);
            }
            () = past(last_moment) => return,
        }
    }
}

/// Why a connection has stopped for a moment.
enum Run {
    /// It is over.
    Ended,
    /// After a GOAWAY the last answer has been written.
    Finished,
}

/// The connection is to be closed now.
struct CutOff;

/// Lets the exchanges go on; says whether any has come to its end.
fn advance<F: Future<Output = End>>(
    exchanges: &mut FuturesUnordered<F>,
    context: &mut Context<'_>,
    streams: &mut Streams,
    wire: &Wire,
) -> Result<bool, CutOff> {
    let mut ended = false;
    while let Poll::Ready(Some(end)) = exchanges.poll_next_unpin(context) {
        ended = true;
        match end {
            End::Done => {}
            End::Cut => return Err(CutOff),
            End::Goaway { code, reason, held } => {
                streams.leave_before(held, wire, code, &reason);
            }
        }
    }
    Ok(ended)
}

async fn changed(ceiling: &mut watch::Receiver<u32>) -> u32 {
    if ceiling.changed().await.is_err() {
        // The server is gone; its connections are told so by another way.
        return pending().await;
    }
    *ceiling.borrow_and_update()
}

async fn past(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
