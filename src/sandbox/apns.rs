//! A fake of the Apple Push Notification service.
//!
//! It speaks HTTP/2 over TLS only, verifies provider tokens, demands what Apple demands of headers
//! and payload, and lets a new connection have one stream until it has authenticated itself.

mod answer;
mod key;
mod provider_token;
mod reason;
mod request;
mod rules;
#[cfg(test)]
mod tests;

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use self::{
    answer::{Client, answer},
    provider_token::ProviderTokens,
};
pub use self::{key::AppleKey, reason::Reason, request::ApnsRequest};
use super::{
    acceptor::Bound,
    authority::Authority,
    connection::{StreamLimit, Surface, serve},
    counters::count,
    fake::{Common, Fake, Service},
    faults::Faults,
};
use crate::{clock::Clock, random::Random};

/// How a [`FakeApns`] is set up.
pub struct ApnsOptions {
    /// The port on 127.0.0.1; 0, the default, takes any free one.
    pub port: u16,
    /// DNS names and addresses in its certificate, besides `localhost`, `127.0.0.1` and `::1`; none
    /// by default.
    pub names: Vec<String>,
    /// The keys whose tokens it accepts; none by default.
    pub keys: Vec<AppleKey>,
    /// The topics it lets through, with all below them; any when the list is empty, as it is by
    /// default.
    pub topics: Vec<String>,
    /// Whether a certificate of the authority makes a client known without a token; off by default.
    pub client_certificates: bool,
    /// Streams an authenticated connection may have open; 1000 by default.
    pub streams: u32,
    /// How long a team must keep its token; 20 minutes by default, 0 lets it change at any time.
    pub token_update_interval: Duration,
    /// How many requests are remembered; 100,000 by default, 0 keeps counters only.
    pub log_capacity: usize,
    /// Whether payloads and all `apns-*` headers are remembered with them; on by default. Without
    /// them, with `apns-id` alone, a request takes about 300 bytes.
    pub log_bodies: bool,
}

impl Default for ApnsOptions {
    fn default() -> Self {
        Self {
            port: 0,
            names: Vec::new(),
            keys: Vec::new(),
            topics: Vec::new(),
            client_certificates: false,
            streams: 1000,
            token_update_interval: Duration::from_secs(20 * 60),
            log_capacity: 100_000,
            log_bodies: true,
        }
    }
}

/// A running fake of Apple's service; dropping it closes its socket and its connections.
pub type FakeApns = Fake<World>;

/// What all its connections share.
pub struct World {
    clock: Clock,
    random: Random,
    topics: Vec<String>,
    provider_tokens: ProviderTokens,
    common: Common<ApnsRequest>,
}

impl FakeApns {
    /// Starts it with a certificate of `authority`; `clock` decides about the age of tokens.
    ///
    /// # Errors
    ///
    /// When the port is taken or a name cannot stand in a certificate.
    pub async fn start(
        authority: &Authority,
        clock: Clock,
        options: ApnsOptions,
    ) -> io::Result<Self> {
        let names = ["localhost", "127.0.0.1", "::1"].into_iter();
        let names: Vec<&str> = names.chain(options.names.iter().map(String::as_str)).collect();
        let tls = if options.client_certificates {
            authority.server_config_with_client_certificates(&names, &[b"h2"])
        } else {
            authority.server_config(&names, &[b"h2"])
        };
        let tls = tls.map_err(io::Error::other)?;
        let faults = Faults::default();
        let world = Arc::new(World {
            clock,
            random: Random::default(),
            topics: options.topics,
            provider_tokens: ProviderTokens::new(
                &options.keys,
                options.token_update_interval,
                faults.clone(),
            ),
            common: Common::new(
                options.streams,
                options.log_capacity,
                options.log_bodies,
                faults.clone(),
            ),
        });
        let shared = Arc::clone(&world);
        let acceptor =
            Bound::new(options.port, tls).await?.accept(faults, move |stream, number, end| {
                connect(Arc::clone(&shared), stream, number, end)
            });
        Ok(Self { acceptor, service: world })
    }

    /// Accepts tokens of these keys only: the keys before are revoked.
    pub fn replace_keys(&self, keys: &[AppleKey]) {
        self.service.provider_tokens.replace_keys(keys);
    }
}

impl Service for World {
    type Request = ApnsRequest;

    fn common(&self) -> &Common<ApnsRequest> {
        &self.common
    }

    fn forget_tokens(&self) {
        self.provider_tokens.reset();
    }
}

async fn connect(
    world: Arc<World>,
    stream: TlsStream<TcpStream>,
    number: u64,
    end: CancellationToken,
) {
    count(&world.common.counters.connections);
    let session = stream.get_ref().1;
    // Apple's service speaks HTTP/2 only, and says so by the protocol negotiation alone.
    if session.alpn_protocol() != Some(b"h2") {
        return;
    }
    let client = Client {
        certificate: session.peer_certificates().is_some(),
        first_token: OnceLock::new(),
        limit: StreamLimit::new(world.common.streams.subscribe(), false),
    };
    let surface = Surface {
        number,
        limit: client.limit.clone(),
        refused: &world.common.counters.refused_streams,
        faults: &world.common.faults,
    };
    let answer = |place, head, body| answer(&world, &client, place, head, body);
    serve(stream, surface, end, answer).await;
}
