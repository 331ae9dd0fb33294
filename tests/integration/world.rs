//! The world one test runs in: an authority, fake push services, names, and the server itself.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use push_bouncer::{
    clock::Clock,
    config::Config,
    sandbox::surroundings::{PUBLIC_NAME, Surroundings, SurroundingsOptions},
    server::Server,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde::Deserialize;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) use client::{Answer, Client};
use dns::FakeDns;

mod client;
mod database;
mod dns;

/// The app ids the fake Apple key may send to.
const TOPICS: [&str; 2] = ["org.zulip.Zulip", "org.zulip.Other"];

/// How long one connection may take to be there; far above what loopback needs.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A running server and everything it talks to.
pub(crate) struct World {
    /// The time of the server and of the fakes.
    pub(crate) clock: Clock,
    /// The fake push services and the files the server was made with.
    pub(crate) surroundings: Surroundings,
    server: Server,
    tls: Arc<ClientConfig>,
    _dns: FakeDns,
}

/// Which push service a push went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Apple's.
    Apns,
    /// Google's.
    Fcm,
}

/// One request that reached a fake push service, as far as tests look at it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Push {
    /// The service.
    pub(crate) kind: Kind,
    /// The device's token.
    pub(crate) token: String,
    /// `apns-topic`; none for FCM.
    pub(crate) topic: Option<String>,
    /// Whether `apns-expiration` was there.
    pub(crate) expires: bool,
    /// The body.
    pub(crate) body: Value,
}

/// How much of the fakes' logs was read already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogPosition {
    apns: usize,
    fcm: usize,
}

impl World {
    /// Starts everything on loopback, with an empty database and `settings` (TOML lines with dotted
    /// keys) added to the least configuration that works.
    ///
    /// The database is a SQLite file, or a new one on the PostgreSQL server that
    /// `PUSH_BOUNCER_TEST_DATABASE_URL` names.
    pub(crate) async fn start(settings: &str) -> Self {
        let clock = Clock::default();
        let dns = FakeDns::start().await;
        let options = SurroundingsOptions {
            database_url: database::empty().await,
            topics: TOPICS.map(str::to_owned).to_vec(),
            project: "zulip-ref".to_owned(),
            settings: format!("dns.servers = [\"{}\"]\n{settings}", dns.address()),
            ..SurroundingsOptions::default()
        };
        let surroundings =
            Surroundings::start(options, clock.clone()).await.expect("the push services start");
        let config = Config::parse(surroundings.config()).expect("the test configuration is valid");
        let server = Server::bind(config, clock.clone()).await.expect("the server starts");
        let tls = trusting(&surroundings.authority().certificate_pem());
        Self { clock, surroundings, server, tls, _dns: dns }
    }

    /// Where remote servers reach the server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.public_address()
    }

    /// The file with the certificate a client has to trust.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.surroundings.authority_file()
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address(), Arc::clone(&self.tls))
    }

    /// A bare TLS connection; `protocols` are offered by ALPN.
    pub(crate) async fn connect(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        connect(self.address(), Arc::new(tls)).await.expect("a TLS connection can be made")
    }

    /// What the push services received from `position` on; moves `position` behind it.
    pub(crate) fn pushes_since(&self, position: &mut LogPosition) -> Vec<Push> {
        let apns = self.surroundings.apns.requests();
        let fcm = self.surroundings.fcm.requests();
        let mut pushes = Vec::new();
        for request in apns.get(position.apns..).unwrap_or_default() {
            pushes.push(Push {
                kind: Kind::Apns,
                token: request.token().to_owned(),
                topic: request.header("apns-topic").map(str::to_owned),
                expires: request.header("apns-expiration").is_some(),
                body: json(&request.body),
            });
        }
        for request in fcm.get(position.fcm..).unwrap_or_default() {
            pushes.push(Push {
                kind: Kind::Fcm,
                token: request.token.clone(),
                topic: None,
                expires: false,
                body: json(&request.body),
            });
        }
        *position = LogPosition { apns: apns.len(), fcm: fcm.len() };
        pushes
    }

    /// Ends the server gracefully.
    pub(crate) async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

/// A TLS connection to the server at `address`.
async fn connect(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(PUBLIC_NAME).expect("the public name is a DNS name");
    let connecting = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(tls).connect(name, stream).await
    };
    timeout(CONNECT_WITHIN, connecting).await?
}

fn trusting(authority: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes())
        .expect("the authority's certificate is PEM");
    roots.add(certificate).expect("the authority's certificate can be trusted");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a push has a JSON body")
}
