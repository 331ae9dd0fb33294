//! The control port: what arrived and what goes wrong, over plain HTTP/1.1 on loopback.
//!
//! It shows tokens and payloads, as a tool for tests may, and whoever reaches it turns every knob.
//! So it listens on loopback only, answers only to the names of loopback (a page in a browser can
//! make its own name point here), and refuses what a page of another origin sends. The paths stand
//! in `docs/SANDBOX.md`.

mod answer;
mod guard;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{apns::FakeApns, counters::Counters, faults::Faults, fcm::FakeFcm, request_log::Page};

/// A person and a few tests have no more.
const CONNECTIONS_LIMIT: usize = 64;
/// How long a connection may be idle, or take over a request's headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(60);
/// How long a shutdown waits for the last answers.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(1);
/// The pause after a failed accept: out of file descriptors, the next one would fail at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A fake as the control port sees it.
pub(super) trait Controlled: Send + Sync {
    fn faults(&self) -> &Faults;
    fn counters(&self) -> Counters;
    /// Forgets what arrived and what was counted.
    fn reset(&self);
    /// Streams a connection may have open.
    fn streams(&self) -> u32;
    /// Changes that; none means as many as at the start.
    fn set_streams(&self, streams: Option<u32>);
    /// What arrived, as JSON objects.
    fn page(&self, after: u64, limit: usize) -> Page<Value>;
}

/// A control port that listens; dropping it closes it.
pub struct Control {
    address: SocketAddr,
    end: CancellationToken,
    tasks: TaskTracker,
}

/// The fakes by the beginning of their paths.
type Fakes = Arc<[(&'static str, Arc<dyn Controlled>)]>;

impl Control {
    /// Controls a fake of Apple's service: `/requests` and so on.
    ///
    /// # Errors
    ///
    /// When the address is not of loopback, or taken.
    pub async fn of_apns(address: SocketAddr, apns: &FakeApns) -> io::Result<Self> {
        Self::start(address, Arc::new([("", apns.controlled())])).await
    }

    /// Controls a fake of Google's service: `/requests` and so on.
    ///
    /// # Errors
    ///
    /// When the address is not of loopback, or taken.
    pub async fn of_fcm(address: SocketAddr, fcm: &FakeFcm) -> io::Result<Self> {
        Self::start(address, Arc::new([("", fcm.controlled())])).await
    }

    /// Controls one of each: `/apns/requests`, `/fcm/requests` and so on.
    ///
    /// # Errors
    ///
    /// When the address is not of loopback, or taken.
    pub async fn of_both(address: SocketAddr, apns: &FakeApns, fcm: &FakeFcm) -> io::Result<Self> {
        let fakes = [("/apns", apns.controlled()), ("/fcm", fcm.controlled())];
        Self::start(address, Arc::new(fakes)).await
    }

    async fn start(address: SocketAddr, fakes: Fakes) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let text = format!("the control port is for loopback only, which {address} is not");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (end, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (connections, ended) = (tasks.clone(), end.clone());
        tasks.spawn(end.clone().run_until_cancelled_owned(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                if connections.len() <= CONNECTIONS_LIMIT {
                    connections.spawn(serve(stream, Arc::clone(&fakes), ended.clone()));
                }
            }
        }));
        Ok(Self { address, end, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and waits for the last answers, at most a second.
    pub async fn shutdown(self) {
        self.end.cancel();
        self.tasks.close();
        let _late = timeout(SHUTDOWN_DEADLINE, self.tasks.wait()).await;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn serve(stream: TcpStream, fakes: Fakes, end: CancellationToken) {
    let service = service_fn(|request: Request<Incoming>| {
        let fakes = Arc::clone(&fakes);
        async move { Ok::<_, Infallible>(answer::answer(&fakes, request).await.map(Full::<Bytes>::new)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is the client's business.
    let _ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(SHUTDOWN_DEADLINE, connection).await.unwrap_or(Ok(()))
        }
    };
}

/// A body as JSON: as it is when it is JSON, as a text otherwise; nothing when there is none.
pub(super) fn payload(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}
