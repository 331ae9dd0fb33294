//! Accepting connections: TLS, HTTP/1.1 and HTTP/2, each step within its time, and a graceful end.

mod connection;
mod places;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use futures_util::FutureExt as _;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use connection::Limits;
use places::Places;
pub use tls::TlsError;

use crate::{
    config::{HttpConfig, TlsMode},
    metrics::Metrics,
};

/// Connections that wait to be accepted, in the system's queue.
const BACKLOG: u32 = 1024;

/// After the system refused to give a connection (too many files open), the next try waits this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// So long a handshake may go on after the end was asked for.
const LAST_HANDSHAKE_MOMENT: Duration = Duration::from_secs(1);

/// The other end of the connection a request came by; every request carries it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Why nobody listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Sockets that are bound and not yet served.
pub struct Listener {
    sockets: Vec<TcpListener>,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    places: Arc<Places>,
    metrics: Arc<Metrics>,
}

impl Listener {
    /// Binds the addresses and reads the certificate.
    ///
    /// # Errors
    ///
    /// When an address cannot be had, or the certificate cannot be used.
    pub fn public(config: &HttpConfig, metrics: Arc<Metrics>) -> Result<Self, ListenError> {
        let tls = match (config.tls.mode, &config.tls.cert_file, &config.tls.key_file) {
            (TlsMode::Files, Some(certificate), Some(key)) => {
                Some(tls::acceptor(certificate, key)?)
            }
            _ => None,
        };
        Self::bind(&config.listen, tls, config, metrics)
    }

    /// Binds the operator's addresses: plain HTTP, the same limits.
    ///
    /// # Errors
    ///
    /// When an address cannot be had.
    pub fn operator(
        addresses: &[SocketAddr],
        config: &HttpConfig,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ListenError> {
        Self::bind(addresses, None, config, metrics)
    }

    fn bind(
        addresses: &[SocketAddr],
        tls: Option<TlsAcceptor>,
        config: &HttpConfig,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ListenError> {
        let sockets = addresses
            .iter()
            .map(|&address| listen(address).map_err(|source| ListenError::Bind { address, source }))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            sockets,
            tls,
            limits: Limits { handshake: config.handshake_timeout, header: config.header_timeout },
            places: Places::new(
                config.max_connections,
                config.max_connections_per_address,
                config.trusted_proxies.clone(),
            ),
            metrics,
        })
    }

    /// The addresses that were bound, with the ports the system chose.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Serves until `stop`, then lets requests under way end for at most `grace`.
    pub async fn serve(self, router: Router, stop: CancellationToken, grace: Duration) {
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        let shared = Arc::new(Shared {
            tls: self.tls,
            limits: self.limits,
            places: self.places,
            metrics: self.metrics,
            router,
            stop: stop.clone(),
            cut: cut.clone(),
            connections: connections.clone(),
        });
        let accepting: Vec<_> = self
            .sockets
            .into_iter()
            .map(|socket| tokio::spawn(accept(socket, Arc::clone(&shared))))
            .collect();
        stop.cancelled().await;
        let until = Instant::now() + grace;
        for task in accepting {
            // It ends by itself on the same signal; its socket is closed with it.
            let _ = task.await;
        }
        connections.close();
        if timeout_at(until, connections.wait()).await.is_err() {
            let left = connections.len();
            tracing::warn!(
                event = "listener.cut",
                left,
                "connections are cut at the end of the grace period"
            );
            cut.cancel();
            connections.wait().await;
        }
    }
}

struct Shared {
    tls: Option<TlsAcceptor>,
    limits: Limits,
    places: Arc<Places>,
    metrics: Arc<Metrics>,
    router: Router,
    /// Connections begin to end.
    stop: CancellationToken,
    /// Connections end now.
    cut: CancellationToken,
    connections: TaskTracker,
}

async fn accept(socket: TcpListener, shared: Arc<Shared>) {
    loop {
        // A place first: who finds none waits in the system's queue.
        let place = tokio::select! {
            place = shared.places.any() => place,
            () = shared.stop.cancelled() => match shared.places.any().now_or_never() {
                Some(place) => place,
                None => return,
            },
        };
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = shared.stop.cancelled() => match socket.accept().now_or_never() {
                // It was in the system's queue already; its request may be on the way.
                Some(accepted) => accepted,
                None => return,
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = place.of(peer.ip()) else {
                    tracing::debug!(
                        event = "listener.crowded",
                        "an address has too many connections"
                    );
                    continue;
                };
                let shared = Arc::clone(&shared);
                let tracker = shared.connections.clone();
                tracker.spawn(async move {
                    shared.metrics.http_connections.inc();
                    tokio::select! {
                        () = handle(stream, peer, &shared) => {}
                        () = shared.cut.cancelled() => {}
                    }
                    shared.metrics.http_connections.dec();
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(event = "listener.accept_failed", %error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

async fn handle(stream: TcpStream, peer: SocketAddr, shared: &Shared) {
    // Answers are one small write.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let router = shared.router.clone();
    let Some(tls) = &shared.tls else {
        return connection::serve_http1(stream, Peer(peer), router, shared.limits, &shared.stop)
            .await;
    };
    let handshake = tokio::time::timeout(shared.limits.handshake, tls.accept(stream));
    let too_late = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(LAST_HANDSHAKE_MOMENT).await;
    };
    let stream = tokio::select! {
        () = too_late => return,
        done = handshake => match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(event = "tls.handshake_failed", %error, "a handshake failed");
                return;
            }
            Err(_) => return,
        },
    };
    // By what was negotiated: guessing the version from the first bytes would wait for them for ever.
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        connection::serve_http2(stream, Peer(peer), router, shared.limits, &shared.stop).await;
    } else {
        connection::serve_http1(stream, Peer(peer), router, shared.limits, &shared.stop).await;
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
