//! `[http]`: the listener that chat servers talk to.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;

use super::duration;

/// The public listener.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Addresses to listen on. Default `["[::]:8443"]`.
    pub listen: Vec<SocketAddr>,
    /// TLS on these addresses.
    pub tls: TlsConfig,
    /// Networks of proxies whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a request may take in all; below 15 s, when chat servers give up. Default 12 s.
    #[serde(deserialize_with = "duration::read")]
    pub request_timeout: Duration,
    /// The same for `server/analytics`, which chat servers wait 90 s for. Default 80 s.
    #[serde(deserialize_with = "duration::read")]
    pub analytics_timeout: Duration,
    /// How long a TLS handshake may take. Default 10 s.
    #[serde(deserialize_with = "duration::read")]
    pub handshake_timeout: Duration,
    /// How long a connection may take to send a request's head, or stay idle. Default 15 s.
    #[serde(deserialize_with = "duration::read")]
    pub header_timeout: Duration,
    /// How long a request's body may take. Default 10 s.
    #[serde(deserialize_with = "duration::read")]
    pub body_timeout: Duration,
    /// The largest body, in bytes. Default 1 MiB.
    pub max_body_bytes: usize,
    /// The largest body of `server/analytics`, in bytes. Default 25 MiB.
    pub max_upload_bytes: usize,
    /// Requests under way at once; more are answered 503. Default 2048.
    pub max_in_flight: usize,
    /// Connections open at once; more wait in the system's queue. Default 10,000.
    pub max_connections: usize,
    /// Connections open at once from one address that is no trusted proxy. Default 256.
    pub max_connections_per_address: usize,
    /// How long requests under way may go on after SIGTERM. Default 30 s.
    #[serde(deserialize_with = "duration::read")]
    pub shutdown_grace: Duration,
}

/// TLS of the public listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Where the certificate comes from. Default `files`.
    pub mode: TlsMode,
    /// The certificate and its chain, PEM.
    pub cert_file: Option<PathBuf>,
    /// The certificate's private key, PEM.
    pub key_file: Option<PathBuf>,
}

/// Where the certificate of the public listener comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// From `cert_file` and `key_file`.
    #[default]
    Files,
    /// There is none: a proxy in front has it, and `trusted_proxies` names that proxy.
    Off,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0u16; 8], 8443))],
            tls: TlsConfig::default(),
            trusted_proxies: Vec::new(),
            request_timeout: Duration::from_secs(12),
            analytics_timeout: Duration::from_secs(80),
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(10),
            max_body_bytes: 1024 * 1024,
            max_upload_bytes: 25 * 1024 * 1024,
            max_in_flight: 2048,
            max_connections: 10_000,
            max_connections_per_address: 256,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}
