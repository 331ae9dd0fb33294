//! One HTTP/2 connection of a sandbox server: requests in, answers out, never more streams than the
//! limit of the moment.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use h2::{
    Reason, RecvStream,
    server::{Builder, SendResponse},
};
use http::{Request, Response, request::Parts};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::settings_rewriter::SettingsRewriter;

/// What `h2` believes the limit to be: never the one that decides.
const UNREACHED_LIMIT: u32 = 1 << 20;
/// The window of one stream; ours to repeat, see [`super::settings_rewriter`].
const STREAM_WINDOW: u32 = 65_535;
/// Wide enough that a thousand streams of the largest allowed body never wait for a window.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Bodies of both services end at 4 or 5 KiB; what is longer than this is cut, and refused for its
/// length all the same.
pub(super) const BODY_LIMIT: usize = 64 << 10;
/// How long a request's body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// How long HTTP/2's own handshake may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
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

/// Answers requests until the client leaves or `end` is cancelled; counts streams above the limit
/// in `refused`.
pub(super) async fn serve<T, A, F>(
    io: T,
    limit: StreamLimit,
    end: CancellationToken,
    refused: &AtomicU64,
    answer: A,
) where
    T: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Parts, Bytes) -> F,
    F: Future<Output = Response<Bytes>>,
{
    let mut ceilings = limit.ceiling.clone();
    let mut ceiling = *ceilings.borrow_and_update();
    let announced = Arc::new(AtomicU32::new(limit.current(ceiling)));
    let io = SettingsRewriter::new(io, Arc::clone(&announced));
    let handshake = Builder::new()
        .max_concurrent_streams(UNREACHED_LIMIT)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(io);
    let Ok(Ok(mut connection)) = timeout(HANDSHAKE_DEADLINE, handshake).await else { return };

    let mut exchanges = FuturesUnordered::new();
    let mut last_moment: Option<Instant> = None;
    loop {
        // Everything that has arrived is taken in, then everything that can be answered is
        // answered, then both are flushed together: one TLS record and one system call for many
        // answers.
        let run = poll_fn(|context| {
            loop {
                match pin!(connection.accept()).poll(context) {
                    Poll::Ready(Some(Ok((request, mut respond)))) => {
                        let allowed = limit.current(ceiling) as usize;
                        if exchanges.len() >= allowed {
                            // The client may have cancelled one of them in the same breath.
                            advance(&mut exchanges, context);
                        }
                        if exchanges.len() < allowed {
                            exchanges.push(exchange(request, respond, &answer));
                        } else {
                            refused.fetch_add(1, Ordering::Relaxed);
                            respond.send_reset(Reason::REFUSED_STREAM);
                        }
                        continue;
                    }
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
                let mut progress = advance(&mut exchanges, context);
                let current = limit.current(ceiling);
                // Refused while the client owes an acknowledgement; its arrival brings us here
                // again.
                if current != announced.load(Ordering::Relaxed)
                    && connection.set_initial_window_size(STREAM_WINDOW).is_ok()
                {
                    announced.store(current, Ordering::Relaxed);
                    progress = true;
                }
                if !progress {
                    return Poll::Pending;
                }
            }
        });
        tokio::select! {
            biased;
            () = run => return,
            new = changed(&mut ceilings) => ceiling = new,
            () = end.cancelled(), if last_moment.is_none() => {
                connection.graceful_shutdown();
                last_moment = Some(Instant::now() + SHUTDOWN_DEADLINE);
            }
            () = past(last_moment) => return,
        }
    }
}

/// Lets the exchanges go on; says whether any has come to its end.
fn advance<F: Future<Output = ()>>(
    exchanges: &mut FuturesUnordered<F>,
    context: &mut Context<'_>,
) -> bool {
    let mut ended = false;
    while let Poll::Ready(Some(())) = exchanges.poll_next_unpin(context) {
        ended = true;
    }
    ended
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

async fn exchange<A, F>(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, answer: &A)
where
    A: Fn(Parts, Bytes) -> F,
    F: Future<Output = Response<Bytes>>,
{
    let (head, body) = request.into_parts();
    let Ok(Ok(body)) = timeout(BODY_DEADLINE, read(body)).await else {
        respond.send_reset(Reason::CANCEL);
        return;
    };
    let mut answering = pin!(answer(head, body));
    let answered = poll_fn(|context| match answering.as_mut().poll(context) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        // A client that stops waiting may open another stream in its place.
        Poll::Pending => respond.poll_reset(context).map(|_| None),
    });
    let Some(response) = answered.await else { return };
    let (head, body) = response.into_parts();
    let whole = body.is_empty();
    // A failure to answer means that the client has left, which is its good right.
    if let Ok(mut stream) = respond.send_response(Response::from_parts(head, ()), whole)
        && !whole
    {
        let _client_left = stream.send_data(body, true);
    }
}

/// Reads a body, without a copy when it comes in one frame, and not much beyond [`BODY_LIMIT`].
async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let Some(first) = body.data().await.transpose()? else { return Ok(Bytes::new()) };
    body.flow_control().release_capacity(first.len())?;
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while whole.len() <= BODY_LIMIT
        && let Some(next) = body.data().await.transpose()?
    {
        body.flow_control().release_capacity(next.len())?;
        whole.extend_from_slice(&next);
    }
    Ok(whole.freeze())
}
