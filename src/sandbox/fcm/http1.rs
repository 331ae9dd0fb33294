//! HTTP/1.1 for clients that speak nothing newer, as `requests` of Python.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{World, answer::answer};
use crate::sandbox::connection::BODY_LIMIT;

/// How long a connection may be idle, or take over a request's headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(60);
/// How long a request's body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// How long an answer may take once the server ends.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(3);

/// Answers requests until the client leaves or `end` is cancelled.
pub(super) async fn serve(
    stream: TlsStream<TcpStream>,
    end: CancellationToken,
    world: &Arc<World>,
) {
    let service = service_fn(move |request: Request<Incoming>| async move {
        let (head, body) = request.into_parts();
        let body = timeout(BODY_DEADLINE, Limited::new(body, BODY_LIMIT).collect()).await;
        // What is too long or never came is refused as the empty body it is then.
        let body = body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
        let response = answer(world, head, body).await;
        Ok::<_, Infallible>(response.map(Full::<Bytes>::new))
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
