//! A self-hosted chat server, as far as it talks to a bouncer: over HTTPS, one connection a call, with
//! Basic authentication, as Zulip's own client does it.

use std::{fmt::Write as _, io, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ring::rand::SecureRandom as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{authority::Authority, surroundings::PUBLIC_NAME};
use crate::random::Random;

/// What Zulip's client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The letters of a `zulip_org_key`.
const KEY_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";

/// A chat server that uses a bouncer.
pub struct RemoteServer {
    bouncer: SocketAddr,
    tls: Arc<ClientConfig>,
    /// `zulip_org_id`.
    pub org_id: String,
    /// `zulip_org_key`.
    pub org_key: String,
    /// The host name it registers with.
    pub hostname: String,
}

/// What the bouncer answered.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null when it is not JSON.
    pub json: Value,
}

impl RemoteServer {
    /// A server with new credentials, which believes this authority.
    ///
    /// # Errors
    ///
    /// When the authority's certificate cannot be trusted.
    pub fn new(bouncer: SocketAddr, authority: &Authority, hostname: &str) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate_der().clone()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let random = Random::default();
        let mut letters = [0; 64];
        random.system().fill(&mut letters).map_err(io::Error::other)?;
        let key = letters.iter().map(|byte| char::from(KEY_LETTERS[usize::from(byte % 62)]));
        Ok(Self {
            bouncer,
            tls: Arc::new(tls),
            org_id: random.uuid().to_string(),
            org_key: key.collect(),
            hostname: hostname.to_owned(),
        })
    }

    /// Registers, or changes what is registered.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn register(&self, contact_email: &str) -> io::Result<Reply> {
        let form = form(&[
            ("zulip_org_id", &self.org_id),
            ("zulip_org_key", &self.org_key),
            ("hostname", &self.hostname),
            ("contact_email", contact_email),
        ]);
        self.call("server/register", "application/x-www-form-urlencoded", form, false).await
    }

    /// Calls an endpoint with a form.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> io::Result<Reply> {
        let mut fields = fields.to_vec();
        // Zulip's client sends it with every form, and nobody reads it.
        fields.push(("server_uuid", &self.org_id));
        self.call(path, "application/x-www-form-urlencoded", form(&fields), true).await
    }

    /// Calls an endpoint with JSON.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn post_json(&self, path: &str, body: &Value) -> io::Result<Reply> {
        self.call(path, "application/json", body.to_string(), true).await
    }

    async fn call(&self, path: &str, kind: &str, body: String, known: bool) -> io::Result<Reply> {
        let mut request = Request::post(format!("/api/v1/remotes/{path}"))
            .header(header::HOST, PUBLIC_NAME)
            .header(header::USER_AGENT, "ZulipServer/12.0")
            .header(header::CONTENT_TYPE, kind);
        if known {
            request = request.header(header::AUTHORIZATION, self.authorization());
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(io::Error::other)?;
        timeout(PATIENCE, self.exchange(request)).await?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> io::Result<Reply> {
        let tcp = TcpStream::connect(self.bouncer).await?;
        let name = ServerName::try_from(PUBLIC_NAME).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        driver.abort();
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Reply { status: head.status, headers: head.headers, json })
    }

    /// The value of `Authorization`.
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.org_id, self.org_key)))
    }

    /// The lines of `/etc/zulip/zulip-secrets.conf` that make a chat server this one.
    #[must_use]
    pub fn secrets(&self) -> String {
        let mut lines = String::new();
        let written = writeln!(lines, "zulip_org_id = {}", self.org_id)
            .and_then(|()| write!(lines, "zulip_org_key = {}", self.org_key));
        written.expect("writing into a text does not fail");
        lines
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
