//! A call to a host that others name: once, over HTTP/1.1 and TLS, to an address that was checked.
//!
//! Whoever names the host may mean to have the bouncer call what only the bouncer can reach. So every
//! address of the host is checked, the checked address is the one that is connected to, redirects are
//! answers like others, and whatever comes back is bounded in time and size.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, join, split},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::{
    exchange::Reply,
    permission::Permission,
    trust::{Trust, TrustError},
};

/// A name with many addresses is tried this often.
const MAX_ADDRESSES: usize = 4;

/// A dead address leaves time for the next one; the last one has all the time that is left.
const TCP_TIMEOUT: Duration = Duration::from_millis(1500);

/// The head of an answer is no longer than this.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Of its body no more than this is read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Whatever else comes is no more than this: a host could send "100 Continue" without end.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Who we say we are.
const USER_AGENT: &str = concat!("push-bouncer/", env!("CARGO_PKG_VERSION"));

/// Calls hosts that others name.
pub struct Strangers {
    tls: Arc<ClientConfig>,
    permission: Permission,
}

/// A host that others named, and where it is.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// Its name in the encoded form, or its address without brackets; its certificate must have it.
    pub name: String,
    /// The TCP port.
    pub port: u16,
    /// Its addresses, all of which must be allowed.
    pub addresses: Vec<IpAddr>,
}

/// Why a stranger gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum StrangerError {
    /// One of its addresses may not be called; none of them was.
    #[error("the address {0} may not be called")]
    Forbidden(IpAddr),
    /// Its name can be in no certificate.
    #[error("not the name of a host")]
    Name,
    /// No address answers.
    #[error("no connection: {0}")]
    Tcp(io::Error),
    /// It did not prove who it is, or speaks no TLS.
    #[error("no secure connection: {0}")]
    Tls(io::Error),
    /// The connection ended before the answer.
    #[error("the connection ended before the answer")]
    Interrupted,
    /// The answer is not HTTP/1.1, breaks off, or has a head of more than 64 KiB.
    #[error("the answer cannot be read: {0}")]
    Answer(hyper::Error),
    /// There was no whole answer before the deadline.
    #[error("no answer in time")]
    Deadline,
}

impl Strangers {
    /// Trusts the public authorities and those of `ca_file` (PEM).
    ///
    /// # Errors
    ///
    /// When the file cannot be used.
    pub fn new(ca_file: Option<&Path>, permission: Permission) -> Result<Self, TrustError> {
        Ok(Self { tls: Trust::public(ca_file)?.http1_client(), permission })
    }

    /// What `stranger` answers to `GET path`, whatever the status.
    ///
    /// # Errors
    ///
    /// When it may not be called, or there is no whole answer before `deadline`.
    pub async fn get(
        &self,
        stranger: &Stranger,
        path: &str,
        deadline: Instant,
    ) -> Result<Reply, StrangerError> {
        let called = timeout_at(deadline, self.call(stranger, path, deadline)).await;
        called.unwrap_or(Err(StrangerError::Deadline))
    }

    async fn call(
        &self,
        stranger: &Stranger,
        path: &str,
        deadline: Instant,
    ) -> Result<Reply, StrangerError> {
        let allowed =
            |address| self.permission.of(address).ok_or(StrangerError::Forbidden(address));
        let addresses =
            stranger.addresses.iter().copied().map(allowed).collect::<Result<Vec<_>, _>>()?;
        let name = ServerName::try_from(stranger.name.clone()).map_err(|_| StrangerError::Name)?;
        let request = Request::get(path)
            .header(header::HOST, stranger.authority())
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|_| StrangerError::Name)?;
        let tcp = connect(&addresses, stranger.port, deadline).await?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let (reading, writing) = split(connector.connect(name, tcp).await.map_err(not_secure)?);
        let stream = join(reading.take(MAX_ANSWER_BYTES), writing);
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(no_answer)?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        let (head, body) = sender.send_request(request).await.map_err(no_answer)?.into_parts();
        let body = beginning(body).await?;
        let (status, headers) = (head.status, head.headers);
        Ok(Reply { status, headers, body, is_whole: true, connection: Weak::new() })
    }
}

impl Stranger {
    /// The value of `Host`.
    fn authority(&self) -> String {
        let name = match self.name.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => self.name.clone(),
        };
        if self.port == 443 { name } else { format!("{name}:{}", self.port) }
    }
}

/// As much of a body as is read.
async fn beginning(mut body: Incoming) -> Result<Bytes, StrangerError> {
    let mut bytes = BytesMut::new();
    while bytes.len() < MAX_BODY_BYTES
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame.map_err(StrangerError::Answer)?.into_data() {
            let room = MAX_BODY_BYTES - bytes.len();
            bytes.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(bytes.freeze())
}

async fn connect(
    addresses: &[IpAddr],
    port: u16,
    deadline: Instant,
) -> Result<TcpStream, StrangerError> {
    let addresses = &addresses[..addresses.len().min(MAX_ADDRESSES)];
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    for (index, &address) in addresses.iter().enumerate() {
        let is_last = index + 1 == addresses.len();
        let until = if is_last { deadline } else { deadline.min(Instant::now() + TCP_TIMEOUT) };
        match timeout_at(until, TcpStream::connect((address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(StrangerError::Tcp(last))
}

/// A handshake that failed: by what was said, or by a connection that ended.
fn not_secure(error: io::Error) -> StrangerError {
    let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match said {
        Some(_) => StrangerError::Tls(error),
        None => StrangerError::Interrupted,
    }
}

fn no_answer(error: hyper::Error) -> StrangerError {
    match error.is_parse() {
        true => StrangerError::Answer(error),
        false => StrangerError::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_named_with_its_port_unless_it_is_the_usual_one() {
        for (name, port, authority) in [
            ("chat.test", 443, "chat.test"),
            ("chat.test", 8443, "chat.test:8443"),
            ("2001:db8::1", 443, "[2001:db8::1]"),
            ("2001:db8::1", 8443, "[2001:db8::1]:8443"),
            ("192.0.2.7", 1, "192.0.2.7:1"),
        ] {
            let stranger = Stranger { name: name.to_owned(), port, addresses: Vec::new() };
            assert_eq!(stranger.authority(), authority);
        }
    }
}
