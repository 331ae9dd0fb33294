//! A self-hosted chat server's own host, as far as a bouncer calls it: it shows the secret of a transfer.
//!
//! `GET /api/v1/zulip-services/verify/{access_token}/`, as Zulip 10 and later answer it; and every way of not
//! answering that a host may have.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::json;
use subtle::ConstantTimeEq as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{
    acceptor::{Acceptor, Bound},
    authority::Authority,
    faults::Faults,
    request_log::RequestLog,
};
use crate::clock::{Clock, Timestamp};

/// How long a prepared secret is shown.
const SECRET_LIFE: Duration = Duration::from_secs(10);
/// The head of a request is no longer than this, and comes within this time.
const HEAD_LIMIT: usize = 16 << 10;
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Longer than any client should read.
const LONG: usize = 1 << 20;
/// Between two bytes of a head that never ends; no deadline between two bytes would pass.
const TRICKLE: Duration = Duration::from_millis(50);

/// How a host answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As a chat server does.
    #[default]
    Proper,
    /// With this status, in HTML.
    Status(u16),
    /// With status 200 and this body.
    Content(String),
    /// With status 302 and this location.
    Redirect(String),
    /// As a chat server does, behind a mebibyte of blanks.
    LongBody,
    /// With a head of a mebibyte.
    LongHead,
    /// With a head that comes byte by byte and never ends.
    SlowHead,
    /// With one "100 Continue" after the other, as long as anybody reads.
    Continues,
    /// With half a body.
    HalfBody,
    /// With what is no HTTP.
    Nonsense,
    /// Not at all, and it stays.
    Silence,
    /// Not at all, and it goes.
    Goodbye,
}

/// A running host; dropping it closes its socket and its connections.
pub struct ChatHost {
    acceptor: Acceptor,
    world: Arc<World>,
}

struct World {
    clock: Clock,
    prepared: Mutex<Option<Prepared>>,
    manner: Mutex<Manner>,
    heads: RequestLog<String>,
}

struct Prepared {
    secret: String,
    token: String,
    /// Absent: until it is told otherwise.
    until: Option<Timestamp>,
}

impl ChatHost {
    /// Starts it on any port of 127.0.0.1, with a certificate of `authority` for `localhost`, that address
    /// and `names`.
    ///
    /// # Errors
    ///
    /// When there is no port, or a name cannot stand in a certificate.
    pub async fn start(authority: &Authority, clock: Clock, names: &[&str]) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), authority, clock, names).await
    }

    /// The same at this address.
    ///
    /// # Errors
    ///
    /// When the address is taken, or a name cannot stand in a certificate.
    pub async fn start_at(
        address: SocketAddr,
        authority: &Authority,
        clock: Clock,
        names: &[&str],
    ) -> io::Result<Self> {
        let names = [&["localhost", "127.0.0.1"], names].concat();
        let tls = authority.server_config(&names, &[b"http/1.1"]).map_err(io::Error::other)?;
        let bound = Bound::at(address, tls).await?;
        let world = Arc::new(World {
            clock,
            prepared: Mutex::default(),
            manner: Mutex::default(),
            heads: RequestLog::new(1000),
        });
        let shared = Arc::clone(&world);
        let acceptor = bound.accept(Faults::default(), move |stream, _number, end| {
            let world = Arc::clone(&shared);
            async move {
                // How a connection ends is the client's business.
                let _ended = end.clone().run_until_cancelled(serve(&world, stream, &end)).await;
            }
        });
        Ok(Self { acceptor, world })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// `name` with its port: a host name to register with.
    #[must_use]
    pub fn hostname(&self, name: &str) -> String {
        format!("{name}:{}", self.address().port())
    }

    /// Shows this secret to whoever knows this token, for ten seconds.
    pub fn prepare(&self, secret: &str, token: &str) {
        self.show(secret, token, Some(self.world.clock.now() + SECRET_LIFE));
    }

    /// The same for as long as it is not told otherwise, which no chat server does.
    pub fn prepare_for_ever(&self, secret: &str, token: &str) {
        self.show(secret, token, None);
    }

    /// Shows no secret any more.
    pub fn forget(&self) {
        *self.world.prepared() = None;
    }

    /// Answers in this manner from now on.
    pub fn behave(&self, manner: Manner) {
        *self.world.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// The heads of the requests it has read, the oldest first.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.world.heads.all()
    }

    fn show(&self, secret: &str, token: &str, until: Option<Timestamp>) {
        let prepared = Prepared { secret: secret.to_owned(), token: token.to_owned(), until };
        *self.world.prepared() = Some(prepared);
    }
}

impl World {
    fn prepared(&self) -> MutexGuard<'_, Option<Prepared>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Status and body of a chat server's answer.
    fn answer(&self, head: &str) -> (u16, String) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let token = path.strip_prefix("/api/v1/zulip-services/verify/");
        let Some(token) = token.and_then(|rest| rest.strip_suffix('/')) else {
            return (404, "<h1>Not Found</h1>".to_owned());
        };
        let now = self.clock.now();
        let prepared = self.prepared();
        let shown = prepared.as_ref().filter(|prepared| {
            let is_token: bool = prepared.token.as_bytes().ct_eq(token.as_bytes()).into();
            is_token && prepared.until.is_none_or(|until| now < until)
        });
        match shown {
            Some(Prepared { secret, .. }) => {
                let body = json!({"result": "success", "msg": "", "verification_secret": secret});
                (200, body.to_string())
            }
            None => {
                let body = json!({
                    "result": "error", "msg": "Verification secret not prepared",
                    "code": "REMOTE_SERVER_VERIFICATION_SECRET_NOT_PREPARED",
                });
                (400, body.to_string())
            }
        }
    }
}

async fn serve(
    world: &World,
    mut stream: TlsStream<TcpStream>,
    end: &CancellationToken,
) -> io::Result<()> {
    let head = timeout(HEAD_DEADLINE, read_head(&mut stream)).await??;
    world.heads.note(|| head.clone());
    let manner = world.manner.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (status, body) = world.answer(&head);
    let answer = match manner {
        Manner::Proper => http(status, "", &body),
        Manner::Status(status) => http(status, "", "<h1>No</h1>"),
        Manner::Content(body) => http(200, "", &body),
        Manner::Redirect(location) => http(302, &format!("Location: {location}\r\n"), ""),
        Manner::LongBody => http(status, "", &(" ".repeat(LONG) + &body)),
        Manner::LongHead => http(status, &format!("X-Padding: {}\r\n", "x".repeat(LONG)), &body),
        Manner::HalfBody => {
            let whole = http(status, "", &body);
            whole[..whole.len() - body.len() / 2].to_owned()
        }
        Manner::Nonsense => "220 mail.test ESMTP\r\n\r\n".to_owned(),
        Manner::Goodbye => String::new(),
        Manner::Silence => {
            end.cancelled().await;
            return Ok(());
        }
        Manner::Continues => loop {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        },
        Manner::SlowHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-Padding: ").await?;
            loop {
                stream.write_all(b"x").await?;
                stream.flush().await?;
                sleep(TRICKLE).await;
            }
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_head(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

fn http(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}
