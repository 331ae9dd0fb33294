//! The world one test runs in: an authority, fake push services, names, and the server itself.

use std::{net::SocketAddr, ops::Deref, path::PathBuf, sync::Arc};

use push_bouncer::{
    clock::{Clock, Timestamp},
    config::Config,
    providers::{Credential, Reloaded},
    sandbox::surroundings::{Surroundings, SurroundingsOptions},
    server::Server,
};
use rustls::ClientConfig;
use sea_orm::{Database, DatabaseConnection};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub(crate) use cable::Cable;
pub(crate) use chance::Chance;
pub(crate) use chat_server::{ChatServer, Registered};
pub(crate) use client::{Answer, Client};
pub(crate) use cluster::Cluster;
pub(crate) use command_line::Printed;
pub(crate) use database::TestDatabase;
pub(crate) use dns::{FakeDns, SECOND_LOOPBACK};
pub(crate) use fleet::Fleet;
pub(crate) use node::Node;
pub(crate) use operator::sum_of;
pub(crate) use people::{IAGO, Phone, User, message, to};
pub(crate) use program::Program;
pub(crate) use pushes::{Kind, LogPosition, Push};
pub(crate) use redis::Redis;
pub(crate) use sealing::AppBuild;
pub(crate) use transfers::{ANY_NUMBER, PERMITTED, TOKEN, said};
pub(crate) use upload::{
    audit_row, installation_count, noted, realm, realm_count, roles, stored_realm,
};
pub(crate) use waiting::{until, until_it_counts};

mod account;
mod cable;
mod calm;
mod chance;
mod chat_server;
mod client;
mod cluster;
mod command_line;
mod database;
mod dns;
mod fleet;
mod node;
mod operator;
mod panics;
mod people;
mod program;
mod pushes;
mod redis;
mod rows;
mod sealing;
mod template;
mod tls;
mod transfers;
mod upload;
mod waiting;

/// The app ids the fake Apple key may send to.
pub(crate) const TOPICS: [&str; 2] = ["org.zulip.Zulip", "org.zulip.Other"];

/// The Firebase project of the app on Android phones.
const PROJECT: &str = "zulip-ref";

/// Everything a server needs around it, before there is one.
pub(crate) struct Stage {
    /// The time of the server and of the fakes.
    pub(crate) clock: Clock,
    /// The fake push services and the files the server is made with.
    pub(crate) surroundings: Surroundings,
    /// The name server.
    pub(crate) dns: FakeDns,
    tls: Arc<ClientConfig>,
    database: TestDatabase,
}

/// A running server and everything it talks to.
pub(crate) struct World {
    stage: Stage,
    server: Server,
}

impl Stage {
    /// Starts all but the server on loopback, with an empty database and `settings` (TOML lines with
    /// dotted keys) added to the least configuration that works.
    ///
    /// The database is a SQLite file, or a new one on the PostgreSQL server that
    /// `PUSH_BOUNCER_TEST_DATABASE_URL` names.
    pub(crate) async fn set(settings: &str) -> Self {
        Self::set_at(Clock::default(), settings).await
    }

    /// The same at a time at which nothing happens by itself: up to an hour from now.
    pub(crate) async fn set_calmly(settings: &str) -> Self {
        Self::set_at(calm::clock(), settings).await
    }

    /// The same at the time of this clock.
    pub(crate) async fn set_at(clock: Clock, settings: &str) -> Self {
        Self::set_on(template::copy().await, clock, settings).await
    }

    /// The same with a SQLite file, whatever the environment says.
    pub(crate) async fn set_on_file() -> Self {
        Self::set_on(TestDatabase(None), Clock::default(), "").await
    }

    /// The same with a new database on this PostgreSQL server.
    pub(crate) async fn set_on_cluster(cluster: &Cluster) -> Self {
        Self::set_on(TestDatabase::on(cluster.url(), "").await, Clock::default(), "").await
    }

    async fn set_on(database: TestDatabase, clock: Clock, settings: &str) -> Self {
        panics::watch();
        let dns = FakeDns::start().await;
        // What waits at the end of a test is of no interest.
        let grace = match settings.contains("shutdown_grace") {
            true => "",
            false => "http.shutdown_grace = \"1s\"\n",
        };
        // Many tests share one PostgreSQL, which lets a hundred in.
        let connections = "database.max_connections = 4\n";
        let options = SurroundingsOptions {
            database_url: database.url().map(str::to_owned),
            topics: TOPICS.map(str::to_owned).to_vec(),
            project: PROJECT.to_owned(),
            account: Some(account::of(PROJECT)),
            // A quick machine sends more in a few seconds than the sandbox keeps for people.
            log_capacity: 100_000,
            settings: format!(
                "dns.servers = [\"{}\"]\n{grace}{connections}{settings}",
                dns.address()
            ),
            ..SurroundingsOptions::default()
        };
        let surroundings =
            Surroundings::start(options, clock.clone()).await.expect("the push services start");
        let tls = tls::trusting(&surroundings.authority().certificate_pem());
        Self { clock, surroundings, dns, tls, database }
    }

    /// Starts a server with this configuration, which is that of the surroundings or made of it.
    pub(crate) async fn serve(self, config: &str) -> World {
        let clock = self.clock.clone();
        Box::pin(self.serve_at(clock, config)).await
    }

    /// The same with a clock of the server's own, which differs from everybody else's.
    pub(crate) async fn serve_at(self, clock: Clock, config: &str) -> World {
        let config = Config::parse(config).expect("the test configuration is valid");
        let server = Server::bind(config, clock).await.expect("the server starts");
        World { stage: self, server }
    }

    /// The configuration of the surroundings, with both push services somewhere else.
    pub(crate) fn config_with_services_at(&self, address: SocketAddr) -> String {
        let elsewhere = format!("https://{address}");
        let apns = format!("https://{}", self.surroundings.apns.address());
        // Access tokens still come from Google's fake: the service account's file says where.
        let fcm = format!("https://{}", self.surroundings.fcm.address());
        self.surroundings.config().replace(&apns, &elsewhere).replace(&fcm, &elsewhere)
    }

    /// The file with the certificate a client has to trust.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.surroundings.authority_file()
    }

    /// A client of the server at `address`, with a connection of its own.
    pub(crate) fn client_of(&self, address: SocketAddr) -> Client {
        Client::new(address, Arc::clone(&self.tls))
    }

    /// A bare TLS connection to the server at `address`; `protocols` are offered by ALPN.
    pub(crate) async fn connect_to(
        &self,
        address: SocketAddr,
        protocols: &[&str],
    ) -> TlsStream<TcpStream> {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        tls::connect(address, Arc::new(tls)).await.expect("a TLS connection can be made")
    }

    /// A chat server that has not registered with the server at `address` yet.
    pub(crate) fn chat_server_of(&self, address: SocketAddr, hostname: &str) -> ChatServer {
        ChatServer::new(address, self.surroundings.authority(), hostname)
    }

    /// The same chat server with another address of the server.
    pub(crate) fn chat_server_at(&self, address: SocketAddr, server: &ChatServer) -> ChatServer {
        server.moved_to(address, self.surroundings.authority())
    }

    /// A connection of its own to the server's database.
    pub(crate) async fn database(&self) -> DatabaseConnection {
        let config = Config::parse(self.surroundings.config()).expect("it was valid before");
        let url = config.database.url.expect("the surroundings name a database");
        Database::connect(url).await.expect("the database answers")
    }

    /// Whether the database is on a PostgreSQL server, which several nodes can share.
    pub(crate) fn has_server(&self) -> bool {
        self.database.url().is_some()
    }

    /// Takes the database away, if it is not a file.
    pub(crate) async fn drop_database(&self) {
        self.database.remove().await;
    }
}

impl World {
    /// A stage with these settings, and a server on it, at a time at which nothing happens by itself: up
    /// to an hour from now.
    pub(crate) async fn start(settings: &str) -> Self {
        let stage = Stage::set_calmly(settings).await;
        let config = stage.surroundings.config().to_owned();
        stage.serve(&config).await
    }

    /// A world, and a chat server in it with a user, Iago, who has a phone of each kind.
    pub(crate) async fn with_two_phones() -> (Self, ChatServer) {
        let world = Self::start("").await;
        let server = world.chat_server("chat.selfhosted.test").await;
        for phone in [Phone::apple("iphone"), Phone::android("android")] {
            server.register_phone(IAGO, &phone).await;
        }
        (world, server)
    }

    /// The same where the time is this at first, in Unix seconds.
    pub(crate) async fn start_at(seconds: i64, settings: &str) -> Self {
        let clock = Clock::starting_at(Timestamp::from_unix_seconds(seconds));
        let stage = Stage::set_at(clock, settings).await;
        let config = stage.surroundings.config().to_owned();
        stage.serve(&config).await
    }

    /// Where remote servers reach the server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.public_address()
    }

    /// Where the operator's tools reach the server.
    pub(crate) fn operator_address(&self) -> SocketAddr {
        self.server.operator_address().expect("the surroundings name an operator's address")
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Client {
        self.client_of(self.address())
    }

    /// A chat server that has not registered yet.
    pub(crate) fn new_chat_server(&self, hostname: &str) -> ChatServer {
        self.chat_server_of(self.address(), hostname)
    }

    /// A chat server that has registered.
    pub(crate) async fn chat_server(&self, hostname: &str) -> ChatServer {
        let server = self.new_chat_server(hostname);
        assert_eq!(server.register().await, Registered::Created);
        server
    }

    /// A bare TLS connection; `protocols` are offered by ALPN.
    pub(crate) async fn connect(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        self.connect_to(self.address(), protocols).await
    }

    /// Has the server read its credentials again, as SIGHUP does.
    pub(crate) async fn reload(&self, config: Option<&str>) -> Reloaded {
        let config = config.map(|config| Config::parse(config).expect("a valid configuration"));
        self.server.reload(config.as_ref()).await
    }

    /// What the server is known by to the push services.
    pub(crate) fn credentials(&self) -> Vec<Credential> {
        self.server.app().providers.credentials()
    }

    /// Ends the server gracefully, and leaves all else.
    pub(crate) async fn stop(self) -> Stage {
        self.server.shutdown().await;
        self.stage
    }

    /// Ends the server, and starts another one on the same stage with this configuration.
    pub(crate) async fn again(self, config: &str) -> Self {
        self.server.shutdown().await;
        self.stage.serve(config).await
    }

    /// The same chat server as it was with another address of the server.
    pub(crate) fn same_chat_server(&self, server: &ChatServer) -> ChatServer {
        self.chat_server_at(self.address(), server)
    }

    /// Ends the server gracefully, and takes away its database; gives what its metrics say in the end.
    pub(crate) async fn shutdown_with_metrics(self) -> String {
        let metrics = Arc::clone(&self.server.app().metrics);
        self.shutdown().await;
        metrics.encode()
    }

    /// Ends the server gracefully, and takes away its database. It must not have panicked.
    pub(crate) async fn shutdown(self) {
        self.server.shutdown().await;
        self.stage.drop_database().await;
        panics::assert_none();
    }
}

impl Deref for World {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}
