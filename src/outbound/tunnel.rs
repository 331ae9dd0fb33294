//! A connection through a proxy, by HTTP CONNECT
//! ([RFC 9110, section 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).

use std::{io, sync::Arc};

use bytes::{Buf as _, BufMut as _, BytesMut};
use http::StatusCode;
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{config::ProxyUrl, names::AddressesError};

/// All that a proxy says before the tunnel begins is no longer than this.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// Nor has one answer more headers.
const MAX_HEADERS: usize = 64;

/// Why a proxy did not connect us. What it said besides the status is not kept.
#[derive(Clone, Debug, Error)]
pub enum TunnelError {
    /// The proxy's name has no address.
    #[error("its name cannot be resolved: {0}")]
    Name(AddressesError),
    /// None of its addresses answers.
    #[error("no connection to it: {0}")]
    Tcp(Arc<io::Error>),
    /// It wants a user name and password, or others.
    #[error("it wants other credentials (status {})", .0.as_u16())]
    Credentials(StatusCode),
    /// It does not want to connect us, or could not.
    #[error("it refused (status {})", .0.as_u16())]
    Refused(StatusCode),
    /// It answered with something else than HTTP/1.1, with more than 8 KiB or 64 headers, or not at all.
    #[error("it gave no answer of HTTP/1.1 of at most 8 KiB")]
    Answer,
    /// It took longer than five seconds.
    #[error("it took too long")]
    Timeout,
}

/// Has the proxy at the other end of `stream` connect us to a host (a name, or an address without brackets).
///
/// # Errors
///
/// When the proxy does not. The caller has a deadline.
pub(super) async fn through(
    proxy: &ProxyUrl,
    mut stream: TcpStream,
    host: &str,
    port: u16,
) -> Result<TcpStream, TunnelError> {
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    let target = format!("{open}{host}{close}:{port}");
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = proxy.authorization() {
        request.extend(b"Proxy-Authorization: ");
        request.extend(authorization.as_bytes());
        request.extend(b"\r\n");
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await.map_err(|_| TunnelError::Answer)?;
    match answer(&mut stream).await? {
        // "Any 2xx (Successful) response indicates that the sender ... will switch to tunnel mode immediately
        // after the response header section".
        status if status.is_success() => Ok(stream),
        status @ (StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED) => {
            Err(TunnelError::Credentials(status))
        }
        status => Err(TunnelError::Refused(status)),
    }
}

/// The status of what the proxy answers for good. Of a success nothing but the head may be there.
async fn answer(stream: &mut TcpStream) -> Result<StatusCode, TunnelError> {
    let mut said = BytesMut::new();
    let mut room = MAX_HEAD_BYTES;
    loop {
        let read = stream.read_buf(&mut (&mut said).limit(room)).await;
        match read.map_err(|_| TunnelError::Answer)? {
            // The end, or there is no room any more.
            0 => return Err(TunnelError::Answer),
            read => room -= read,
        }
        while let Some((status, length)) = head(&said)? {
            said.advance(length);
            // Others come before the answer; 101 would be another protocol.
            let is_interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
            if is_interim {
                continue;
            }
            // In TLS the client speaks first: what came already is not of the host.
            if status.is_success() && !said.is_empty() {
                return Err(TunnelError::Answer);
            }
            return Ok(status);
        }
    }
}

/// The status and the length of the head at the beginning of `said`; nothing while it is not whole.
fn head(said: &[u8]) -> Result<Option<(StatusCode, usize)>, TunnelError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(said).map_err(|_| TunnelError::Answer)?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    Ok(Some((status.ok_or(TunnelError::Answer)?, length)))
}

#[cfg(test)]
mod tests;
