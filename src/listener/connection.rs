//! One connection: its requests, its patience, its end.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Peer;

/// The head of a request, all headers together, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Headers of one request; chat servers send seven.
const MAX_HEADERS: usize = 100;

/// Requests under way on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// How often an HTTP/2 connection is asked whether anybody is there, and how long the answer may take.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// So long a connection without a request stays open after the end was asked for.
const FIRST_REQUEST_MOMENT: Duration = Duration::from_secs(1);

/// So long the last answer of a connection may take to leave.
const LAST_ANSWER_MOMENT: Duration = Duration::from_secs(1);

/// How long the steps of a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The TLS handshake.
    pub(super) handshake: Duration,
    /// The head of a request, and the pause before it.
    pub(super) header: Duration,
}

/// Serves HTTP/1.1.
pub(super) async fn serve_http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: &CancellationToken,
) {
    let activity = Arc::new(Activity::new());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It also ends a connection that was idle for as long.
        .header_read_timeout(limits.header)
        // Who has sent all of a request and hangs up has asked for it all the same.
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service(router, peer, &activity));
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            biased;
            // A connection that breaks off is the caller's affair.
            _ = connection.as_mut() => return,
            () = activity.ending(stop), if !activity.is_stopping() => {
                activity.stop();
                connection.as_mut().graceful_shutdown();
            }
            () = activity.abandoned(limits.header) => return,
            () = activity.done(stop) => return,
        }
    }
}

/// Serves HTTP/2.
pub(super) async fn serve_http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: &CancellationToken,
) {
    let activity = Arc::new(Activity::new());
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(stream), service(router, peer, &activity));
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = activity.ending(stop), if !activity.is_stopping() => {
                activity.stop();
                connection.as_mut().graceful_shutdown();
            }
            () = activity.abandoned(limits.header) => return,
            () = activity.done(stop) => return,
        }
    }
}

fn service(
    router: Router,
    peer: Peer,
    activity: &Arc<Activity>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<>,
> + use<> {
    let activity = Arc::clone(activity);
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let answer = router.clone().oneshot(request.map(Body::new));
        let busy = Activity::busy(&activity);
        async move {
            let answered = answer.await;
            drop(busy);
            answered
        }
    })
}

/// Whether anything goes on on a connection: hyper closes a silent HTTP/1.1 connection, and asks a silent
/// HTTP/2 client only whether it is there; a client that is there and silent is ours to send away.
struct Activity {
    began: Instant,
    in_flight: AtomicUsize,
    /// When it last became idle, in milliseconds since it began.
    idle_since: AtomicU64,
    stopping: AtomicBool,
    has_served: AtomicBool,
    first_request: Notify,
    idle: Notify,
}

impl Activity {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            in_flight: AtomicUsize::new(0),
            idle_since: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            has_served: AtomicBool::new(false),
            first_request: Notify::new(),
            idle: Notify::new(),
        }
    }

    fn busy(this: &Arc<Self>) -> Busy {
        this.in_flight.fetch_add(1, Ordering::AcqRel);
        if !this.has_served.swap(true, Ordering::AcqRel) {
            this.first_request.notify_one();
        }
        Busy(Arc::clone(this))
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Returns when the connection is to end: at `stop`, or a moment later while nothing was asked on it
    /// yet, since the first request may be on the way.
    async fn ending(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        if !self.has_served.load(Ordering::Acquire) {
            // Without a request it is over after that moment.
            let _ = timeout(FIRST_REQUEST_MOMENT, self.first_request.notified()).await;
        }
    }

    /// Returns when the end was asked for and nothing is under way: what a client has half begun by then
    /// holds up nobody.
    async fn done(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        sleep(FIRST_REQUEST_MOMENT).await;
        loop {
            while self.in_flight.load(Ordering::Acquire) > 0 {
                self.idle.notified().await;
            }
            // The last answer is on its way out.
            sleep(LAST_ANSWER_MOMENT).await;
            if self.in_flight.load(Ordering::Acquire) == 0 {
                return;
            }
        }
    }

    /// Returns when nothing has gone on for longer than `patience`, and a little more: hyper's own
    /// timer comes first where it has one.
    async fn abandoned(&self, patience: Duration) {
        let patience = patience + Duration::from_millis(500);
        loop {
            let idle_since =
                self.began + Duration::from_millis(self.idle_since.load(Ordering::Acquire));
            let idle = idle_since.elapsed();
            if self.in_flight.load(Ordering::Acquire) > 0 {
                sleep(patience).await;
            } else if idle >= patience {
                return;
            } else {
                sleep(patience - idle).await;
            }
        }
    }
}

struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        let millis = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since.store(millis, Ordering::Release);
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_one();
        }
    }
}
