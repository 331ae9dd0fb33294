//! The world one test runs in: an authority, fake push services, names, and the server itself.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use push_bouncer::{
    clock::Clock,
    config::Config,
    sandbox::{ApnsOptions, AppleKey, Authority, FakeApns, FakeFcm, FcmOptions, ServiceAccount},
    server::Server,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) use client::{Answer, Client};
use dns::FakeDns;

mod client;
mod dns;

/// The name the server's certificate carries and clients ask for.
pub(crate) const PUBLIC_NAME: &str = "push.zulipref.test";

/// The app ids the fake Apple key may send to.
const TOPICS: [&str; 2] = ["org.zulip.Zulip", "org.zulip.Other"];

/// How long one connection may take to be there; far above what loopback needs.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A running server and everything it talks to.
pub(crate) struct World {
    /// The time of the server and of the fakes.
    pub(crate) clock: Clock,
    apns: FakeApns,
    fcm: FakeFcm,
    server: Server,
    tls: Arc<ClientConfig>,
    directory: TempDir,
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
    /// Starts everything on loopback, with an empty SQLite database and `settings` (TOML lines with
    /// dotted keys) added to the least configuration that works.
    pub(crate) async fn start(settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let database = directory.path().join("push-bouncer.db");
        let url = format!("sqlite://{}?mode=rwc", database.display());
        Self::start_with_database(directory, &url, settings).await
    }

    /// As [`World::start`], with the empty database at `url`.
    pub(crate) async fn start_on(url: &str, settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Self::start_with_database(directory, url, settings).await
    }

    async fn start_with_database(directory: TempDir, url: &str, settings: &str) -> Self {
        let clock = Clock::default();
        let authority = Authority::new();
        let dns = FakeDns::start().await;

        let apple_key = AppleKey::generate("TEAM000001", "KEY0000001");
        let service_account = ServiceAccount::generate("zulip-ref");
        let write = |name: &str, text: &str| write_file(&directory, name, text);
        let apple_key_file = write("apple.p8", &apple_key.private_key_pem());
        let apns = FakeApns::start(&authority, clock.clone(), ApnsOptions::new(&apple_key))
            .await
            .expect("the fake APNs starts");
        let fcm = FakeFcm::start(&authority, clock.clone(), FcmOptions::new(&service_account))
            .await
            .expect("the fake FCM starts");

        let fcm_endpoint = format!("https://{}", fcm.address());
        let token_uri = format!("{fcm_endpoint}/token");
        let account_file = write("service-account.json", &service_account.json(&token_uri));
        let (certificate, key) =
            authority.server_certificate(&[PUBLIC_NAME, "localhost", "127.0.0.1"]);
        let certificate_file = write("server.pem", &certificate);
        let key_file = write("server.key", &key);
        let ca_file = write("authority.pem", &authority.certificate_pem());

        let text = format!(
            r#"
public_url = "https://{PUBLIC_NAME}"
http.listen = ["127.0.0.1:0"]
http.tls.mode = "files"
http.tls.cert_file = {certificate_file:?}
http.tls.key_file = {key_file:?}
internal.listen = ["127.0.0.1:0"]
database.url = {url:?}
apns.test.topics = {TOPICS:?}
apns.test.environment = "production"
apns.test.key_file = {apple_key_file:?}
apns.test.key_id = "KEY0000001"
apns.test.team_id = "TEAM000001"
apns.test.endpoint = "https://{apns_address}"
apns.test.ca_file = {ca_file:?}
fcm.test.service_account_file = {account_file:?}
fcm.test.endpoint = {fcm_endpoint:?}
fcm.test.token_uri = {token_uri:?}
fcm.test.ca_file = {ca_file:?}
registration.mode = "open"
dns.servers = ["{dns_address}"]
outbound.ca_file = {ca_file:?}
outbound.permitted_networks = ["127.0.0.0/8", "::1/128"]
{settings}
"#,
            apns_address = apns.address(),
            dns_address = dns.address(),
        );
        let config = Config::parse(&text).expect("the test configuration is valid");
        let server = Server::bind(config, clock.clone()).await.expect("the server starts");
        let tls = trusting(&authority.certificate_pem());
        Self { clock, apns, fcm, server, tls, directory, _dns: dns }
    }

    /// Where remote servers reach the server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.public_address()
    }

    /// The file with the certificate a client has to trust.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
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
        let apns = self.apns.requests();
        let fcm = self.fcm.requests();
        let mut pushes = Vec::new();
        for request in apns.get(position.apns..).unwrap_or_default() {
            let topic = request.headers.get("apns-topic").and_then(|topic| topic.to_str().ok());
            pushes.push(Push {
                kind: Kind::Apns,
                token: request.token.clone(),
                topic: topic.map(str::to_owned),
                expires: request.headers.contains_key("apns-expiration"),
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

fn write_file(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).expect("the temporary directory can be written");
    path
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a push has a JSON body")
}
