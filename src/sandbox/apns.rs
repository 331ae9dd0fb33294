//! A fake of the Apple Push Notification service.
//!
//! It speaks HTTP/2 over TLS only, verifies provider tokens, demands what Apple demands of headers
//! and payload, and lets a new connection have one stream until it has authenticated itself.

mod answer;
mod controlled;
mod key;
mod provider_token;
mod reason;
mod request;
mod rules;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use self::{
    answer::{Client, answer},
    provider_token::ProviderTokens,
};
pub use self::{key::AppleKey, reason::Reason, request::ApnsRequest};
use super::{
    acceptor::{Acceptor, Bound},
    authority::Authority,
    connection::{StreamLimit, Surface, serve},
    control::Controlled,
    counters::{Counters, LiveCounters, count},
    faults::Faults,
    request_log::RequestLog,
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
pub struct FakeApns {
    acceptor: Acceptor,
    world: Arc<World>,
}

/// What all connections share.
struct World {
    clock: Clock,
    random: Random,
    topics: Vec<String>,
    provider_tokens: ProviderTokens,
    streams: watch::Sender<u32>,
    /// How many streams there were at the start.
    first_streams: u32,
    faults: Faults,
    log: RequestLog<ApnsRequest>,
    log_bodies: bool,
    counters: LiveCounters,
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
            streams: watch::Sender::new(options.streams),
            first_streams: options.streams,
            faults: faults.clone(),
            log: RequestLog::new(options.log_capacity),
            log_bodies: options.log_bodies,
            counters: LiveCounters::default(),
        });
        let shared = Arc::clone(&world);
        let acceptor =
            Bound::new(options.port, tls).await?.accept(faults, move |stream, number, end| {
                connect(Arc::clone(&shared), stream, number, end)
            });
        Ok(Self { acceptor, world })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// The last requests, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<ApnsRequest> {
        self.world.log.all()
    }

    /// Shows the last requests to `look`, the oldest first, without a copy. It must not wait: the
    /// log stands still meanwhile.
    pub fn for_each_request(&self, look: impl FnMut(&ApnsRequest)) {
        self.world.log.for_each(look);
    }

    /// How many of the last requests were accepted, by device token as it stood in the path.
    #[must_use]
    pub fn accepted_by_token(&self) -> HashMap<String, u64> {
        let mut accepted = HashMap::new();
        self.for_each_request(|request| {
            if request.is_accepted() {
                *accepted.entry(request.token().to_owned()).or_default() += 1;
            }
        });
        accepted
    }

    /// What it has counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.world.counters.now()
    }

    /// Forgets requests, counters and which provider tokens were in use; connections and settings
    /// stay.
    pub fn reset(&self) {
        Controlled::reset(&*self.world);
    }

    /// What the control port works on.
    pub(super) fn controlled(&self) -> Arc<dyn Controlled> {
        Arc::<World>::clone(&self.world)
    }

    /// What it does wrong on purpose.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.world.faults.clone()
    }

    /// Lets every answer wait this long from now on; zero, the initial value, answers at once.
    pub fn set_latency(&self, latency: Duration) {
        self.world.faults.set_latency(latency);
    }

    /// Changes the streams an authenticated connection may have open, on all connections at once.
    pub fn set_streams(&self, streams: u32) {
        self.world.streams.send_replace(streams);
    }

    /// Accepts tokens of these keys only: the keys before are revoked.
    pub fn replace_keys(&self, keys: &[AppleKey]) {
        self.world.provider_tokens.replace_keys(keys);
    }

    /// Stops listening, says goodbye on every connection and waits a few seconds for open streams.
    pub async fn shutdown(self) {
        self.acceptor.shutdown().await;
    }
}

async fn connect(
    world: Arc<World>,
    stream: TlsStream<TcpStream>,
    number: u64,
    end: CancellationToken,
) {
    count(&world.counters.connections);
    let session = stream.get_ref().1;
    // Apple's service speaks HTTP/2 only, and says so by the protocol negotiation alone.
    if session.alpn_protocol() != Some(b"h2") {
        return;
    }
    let client = Client {
        certificate: session.peer_certificates().is_some(),
        first_token: OnceLock::new(),
        limit: StreamLimit::new(world.streams.subscribe(), false),
    };
    let surface = Surface {
        number,
        limit: client.limit.clone(),
        refused: &world.counters.refused_streams,
        faults: &world.faults,
    };
    let answer = |place, head, body| answer(&world, &client, place, head, body);
    serve(stream, surface, end, answer).await;
}
