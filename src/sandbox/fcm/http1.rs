//! HTTP/1.1 for clients that speak nothing newer, as `requests` of Python.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{World, answer::answer};
use crate::sandbox::{
    connection::{BODY_LIMIT, Reply},
    faults::Place,
};

/// How long a connection may be idle, or take over a request's headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(60);
/// How long a request's body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// How long an answer may take once the server ends.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(3);

/// The connection is to be closed now.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct CutOff;

/// Answers requests until the client leaves or `end` is cancelled.
pub(super) async fn serve(
    stream: TlsStream<TcpStream>,
    number: u64,
    end: CancellationToken,
    world: &Arc<World>,
) {
    let requests = AtomicU32::new(0);
    let requests = &requests;
    let service = service_fn(move |request: Request<Incoming>| async move {
        let stream = requests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let place = Place { connection: number, stream };
        let (head, body) = request.into_parts();
        let body = timeout(BODY_DEADLINE, Limited::new(body, BODY_LIMIT).collect()).await;
        // What is too long or never came is refused as the empty body it is then.
        let body = body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
        match answer(world, place, head, body).await {
            Reply::Answer(response) => Ok(response.map(Full::<Bytes>::new)),
            // There are no streams to reset here: the connection is all there is.
            Reply::Reset(_) | Reply::Cut | Reply::Goaway { .. } => Err(CutOff),
            Reply::Nothing => pending().await,
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is the client's business; every request on it has been counted.
    let _ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(SHUTDOWN_DEADLINE, connection).await.unwrap_or(Ok(()))
        }
    };
}
