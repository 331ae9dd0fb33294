//! One connection of a pool: how full it is, and when it is to be given up.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{Ping, PingPong, client::SendRequest};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::{sleep, timeout},
};

/// How often an open connection is asked whether anybody is there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long the answer to that may take.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// One open connection.
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    in_flight: AtomicUsize,
    usable: AtomicBool,
    /// The peer has answered a request on it.
    proven: AtomicBool,
}

impl Connection {
    pub(super) fn new(sender: SendRequest<Bytes>) -> Arc<Self> {
        Arc::new(Self {
            sender,
            in_flight: AtomicUsize::new(0),
            usable: AtomicBool::new(true),
            proven: AtomicBool::new(false),
        })
    }

    /// A handle for one more request.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    pub(super) fn is_usable(&self) -> bool {
        self.usable.load(Ordering::Acquire)
    }

    /// No further request is started on it; those under way may end.
    pub(super) fn retire(&self) {
        self.usable.store(false, Ordering::Release);
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Acquire)
    }

    /// Whether it tells how many more connections are needed: it has answered, or takes no request at all.
    pub(super) fn is_settled(&self) -> bool {
        self.is_proven() || self.in_flight.load(Ordering::Acquire) == 0 && self.free_streams() == 0
    }

    /// To be called when a request on it was answered, however.
    pub(super) fn prove(&self) {
        self.proven.store(true, Ordering::Release);
    }

    /// How many more streams the peer allows now: its `SETTINGS_MAX_CONCURRENT_STREAMS` may change at
    /// any moment, and is obeyed at once.
    pub(super) fn free_streams(&self) -> usize {
        self.sender
            .current_max_send_streams()
            .saturating_sub(self.in_flight.load(Ordering::Acquire))
    }

    /// Takes a place; the caller holds the pool's lock, so that places are not given out twice.
    pub(super) fn take_stream(&self) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn release_stream(&self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Why a connection is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The peer said that it goes away.
    GoAway,
    /// The peer did not answer a PING.
    NoAnswer,
    /// Anything else: idle and closed, cut, reset.
    Closed,
}

/// Moves bytes until the connection ends; tells `changed` whenever more streams are allowed.
pub(super) async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    mut driver: h2::client::Connection<S, Bytes>,
    changed: &Notify,
) -> Ended {
    let pings = driver.ping_pong().expect("it is taken once only");
    let mut allowed = driver.max_concurrent_send_streams();
    let driven = poll_fn(|context| {
        let polled = Pin::new(&mut driver).poll(context);
        let now_allowed = driver.max_concurrent_send_streams();
        if now_allowed > allowed {
            changed.notify_one();
        }
        allowed = now_allowed;
        polled
    });
    tokio::select! {
        ended = driven => match ended {
            Err(error) if error.is_go_away() && error.is_remote() => Ended::GoAway,
            Ok(()) | Err(_) => Ended::Closed,
        },
        () = missed_ping(pings) => Ended::NoAnswer,
    }
}

/// Returns when the peer has not answered a PING in time.
async fn missed_ping(mut pings: PingPong) {
    loop {
        sleep(PING_INTERVAL).await;
        match timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection is ending; its driver says why.
            Ok(Err(_)) => std::future::pending::<()>().await,
            Err(_) => return,
        }
    }
}
