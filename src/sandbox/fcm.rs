//! A fake of Firebase Cloud Messaging, version 1 of its API, and of Google's token endpoint.
//!
//! One server answers `POST /token` and `POST /v1/projects/{project}/messages:send`, over HTTP/2 or
//! HTTP/1.1 as TLS has agreed.

mod access_tokens;
mod answer;
mod error_code;
mod http1;
mod message;
mod oauth;
mod request;
mod service_account;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use self::{
    access_tokens::AccessTokens,
    answer::{TOKEN_PATH, answer},
};
pub use self::{
    error_code::ErrorCode,
    request::FcmRequest,
    service_account::{ServiceAccount, ServiceAccountError},
};
use super::{
    acceptor::Bound,
    authority::Authority,
    connection::{StreamLimit, Surface, serve},
    counters::count,
    fake::{Common, Fake, Service},
    faults::Faults,
};
use crate::{clock::Clock, random::Random};

/// How a [`FakeFcm`] is set up.
pub struct FcmOptions {
    /// The port on 127.0.0.1; 0, the default, takes any free one.
    pub port: u16,
    /// DNS names and addresses in its certificate, besides `localhost`, `127.0.0.1` and `::1`; none
    /// by default.
    pub names: Vec<String>,
    /// The service accounts it knows, and with them the projects; none by default.
    pub accounts: Vec<ServiceAccount>,
    /// Audiences an assertion may have besides the token endpoint's own URI; none by default.
    pub audiences: Vec<String>,
    /// How long an access token lasts; an hour by default.
    pub access_token_life: Duration,
    /// Streams a connection may have open; 100 by default, as at Google's front end.
    pub streams: u32,
    /// How many messages are remembered; 100,000 by default, 0 keeps counters only.
    pub log_capacity: usize,
    /// Whether their bodies are remembered too; on by default.
    pub log_bodies: bool,
}

impl Default for FcmOptions {
    fn default() -> Self {
        Self {
            port: 0,
            names: Vec::new(),
            accounts: Vec::new(),
            audiences: Vec::new(),
            access_token_life: Duration::from_secs(60 * 60),
            streams: 100,
            log_capacity: 100_000,
            log_bodies: true,
        }
    }
}

/// A running fake of Google's service; dropping it closes its socket and its connections.
pub type FakeFcm = Fake<World>;

/// What all its connections share.
pub struct World {
    clock: Clock,
    random: Random,
    accounts: Vec<ServiceAccount>,
    audiences: Vec<String>,
    access_tokens: AccessTokens,
    common: Common<FcmRequest>,
}

impl FakeFcm {
    /// Starts it with a certificate of `authority`; `clock` decides about the age of assertions and
    /// tokens.
    ///
    /// # Errors
    ///
    /// When the port is taken or a name cannot stand in a certificate.
    pub async fn start(
        authority: &Authority,
        clock: Clock,
        options: FcmOptions,
    ) -> io::Result<Self> {
        let own = ["localhost", "127.0.0.1", "::1"];
        let names = options.names.iter().map(String::as_str);
        let names: Vec<&str> = own.into_iter().chain(names).collect();
        let tls =
            authority.server_config(&names, &[b"h2", b"http/1.1"]).map_err(io::Error::other)?;
        let bound = Bound::new(options.port, tls).await?;
        let port = bound.address().port();
        let mut audiences = options.audiences;
        audiences.extend(names.iter().map(|name| token_uri(name, port)));
        let faults = Faults::default();
        let world = Arc::new(World {
            clock,
            random: Random::default(),
            audiences,
            accounts: options.accounts,
            access_tokens: AccessTokens::new(options.access_token_life, faults.clone()),
            common: Common::new(
                options.streams,
                options.log_capacity,
                options.log_bodies,
                faults.clone(),
            ),
        });
        let shared = Arc::clone(&world);
        let acceptor = bound.accept(faults, move |stream, number, end| {
            connect(Arc::clone(&shared), stream, number, end)
        });
        Ok(Self { acceptor, service: world })
    }

    /// The URI of its token endpoint, by the name `localhost`.
    #[must_use]
    pub fn token_uri(&self) -> String {
        token_uri("localhost", self.address().port())
    }

    /// Adds a `Retry-After` of so many whole seconds to every answer 429 and 503 from now on; none
    /// at first.
    pub fn set_retry_after(&self, retry_after: Option<Duration>) {
        self.service.common.faults.set_retry_after(retry_after);
    }

    /// Ends all access tokens before their time.
    pub fn revoke_access_tokens(&self) {
        self.service.common.faults.revoke_tokens();
    }
}

fn token_uri(name: &str, port: u16) -> String {
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    format!("https://{name}:{port}{TOKEN_PATH}")
}

impl Service for World {
    type Request = FcmRequest;

    fn common(&self) -> &Common<FcmRequest> {
        &self.common
    }
}

async fn connect(
    world: Arc<World>,
    stream: TlsStream<TcpStream>,
    number: u64,
    end: CancellationToken,
) {
    count(&world.common.counters.connections);
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let surface = Surface {
            number,
            limit: StreamLimit::new(world.common.streams.subscribe(), true),
            refused: &world.common.counters.refused_streams,
            faults: &world.common.faults,
        };
        serve(stream, surface, end, |place, head, body| answer(&world, place, head, body)).await;
    } else {
        http1::serve(stream, number, end, &world).await;
    }
}
