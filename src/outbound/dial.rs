//! One new connection: name, TCP, proxy, TLS, HTTP/2.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use rustls::ClientConfig;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    origin::Origin, plain_writes::PlainWrites, tls_problem::TlsProblem, tunnel::TunnelError,
    way::Way,
};
use crate::names::AddressesError;

/// The whole of name, TCP, proxy, TLS and HTTP/2.
const DIAL_TIMEOUT: Duration = Duration::from_secs(8);

/// Answers are a few hundred bytes; this many bytes may be under way unread on one stream.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all streams of a connection together.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Headers of an answer are a few hundred bytes.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DialError {
    /// The host's name has no address.
    #[error("the name cannot be resolved: {0}")]
    Name(AddressesError),
    /// No address answers.
    #[error("no connection: {0}")]
    Tcp(Arc<io::Error>),
    /// The proxy did not connect us.
    #[error("no connection through the proxy: {0}")]
    Proxy(#[from] TunnelError),
    /// The host did not prove who it is, or refused us.
    #[error("no secure connection: {0}")]
    Tls(TlsProblem),
    /// The host does not speak HTTP/2.
    #[error("the host does not speak HTTP/2")]
    Protocol,
    /// It took longer than eight seconds.
    #[error("no connection in time")]
    Timeout,
}

/// Streams that we reset are remembered, so many and so long.
const MAX_RESET_STREAMS: usize = 1000;
const RESET_MEMORY: Duration = Duration::from_secs(30);

type Stream = PlainWrites<TlsStream<TcpStream>>;

/// A connection to `origin` with the end that drives it.
pub(super) async fn dial(
    origin: &Origin,
    tls: &Arc<ClientConfig>,
    way: &Way,
) -> Result<(SendRequest<Bytes>, Connection<Stream, Bytes>), DialError> {
    timeout(DIAL_TIMEOUT, async {
        let tcp = way.connect(origin).await?;
        let name = origin.server_name().expect("an origin's host is a server name");
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, tcp)
            .await
            .map_err(|error| DialError::Tls(TlsProblem::of(&error)))?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(DialError::Protocol);
        }
        h2::client::Builder::new()
            // Until the peer's SETTINGS are here nobody knows how many streams it takes; Apple takes one.
            .initial_max_send_streams(1)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            // Pushes that ran out of time are reset; their late answers must not end the connection.
            .max_concurrent_reset_streams(MAX_RESET_STREAMS)
            .max_local_error_reset_streams(None)
            .max_header_list_size(MAX_HEADER_BYTES)
            .reset_stream_duration(RESET_MEMORY)
            .handshake(PlainWrites(stream))
            .await
            .map_err(|_| DialError::Protocol)
    })
    .await
    .unwrap_or(Err(DialError::Timeout))
}
