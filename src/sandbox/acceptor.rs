//! Takes TLS connections on loopback, one task for each, until it is shut down.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::faults::Faults;

/// A handshake on loopback takes a millisecond; a client that takes this long has gone.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a shutdown waits for connections; each of them ends within a shorter time of its own.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);
/// The pause after a failed accept: out of file descriptors, the next one would fail at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens, and takes no connection yet.
pub(super) struct Bound {
    address: SocketAddr,
    listener: TcpListener,
    tls: TlsAcceptor,
}

/// A listening socket and its connections; dropping it ends them.
pub(super) struct Acceptor {
    address: SocketAddr,
    end: CancellationToken,
    tasks: TaskTracker,
}

impl Bound {
    /// Listens on this port of loopback (0: any free one).
    pub(super) async fn new(port: u16, tls: Arc<ServerConfig>) -> io::Result<Self> {
        Self::at((Ipv4Addr::LOCALHOST, port).into(), tls).await
    }

    /// Listens on this address (port 0: any free one).
    pub(super) async fn at(address: SocketAddr, tls: Arc<ServerConfig>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener, tls: TlsAcceptor::from(tls) })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives every connection from now on to `serve`, with its number and a token that says when to
    /// end; refuses, silences and cuts them as `faults` say.
    pub(super) fn accept<S, F>(self, faults: Faults, serve: S) -> Acceptor
    where
        S: Fn(TlsStream<TcpStream>, u64, CancellationToken) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { address, listener, tls } = self;
        let end = CancellationToken::new();
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        let ended = end.clone();
        tasks.spawn(end.clone().run_until_cancelled_owned(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                if faults.refuses() {
                    continue;
                }
                let (tls, serve, end) = (tls.clone(), serve.clone(), ended.clone());
                let line = faults.line();
                let number = line.number();
                let connection_end = end.clone();
                let connection = async move {
                    if let Some(stream) = handshake(&tls, stream, &end).await {
                        serve(stream, number, end).await;
                    }
                };
                connections.spawn(line.carry(connection, connection_end));
            }
        }));
        Acceptor { address, end, tasks }
    }
}

impl Acceptor {
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, asks the connections to end and waits for them, at most 5 s.
    pub(super) async fn shutdown(&self) {
        self.end.cancel();
        self.tasks.close();
        // A task that outlives the deadline holds nothing but its socket.
        let _late = timeout(SHUTDOWN_DEADLINE, self.tasks.wait()).await;
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn handshake(
    tls: &TlsAcceptor,
    stream: TcpStream,
    end: &CancellationToken,
) -> Option<TlsStream<TcpStream>> {
    // With Nagle's algorithm a small answer would wait for the acknowledgement of the one before.
    stream.set_nodelay(true).ok()?;
    let handshake = timeout(HANDSHAKE_DEADLINE, tls.accept(stream));
    end.run_until_cancelled(handshake).await?.ok()?.ok()
}
