//! What the benchmarks have in common: the program in a process of its own, and connections to it that are kept.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use push_bouncer::sandbox::surroundings::{PUBLIC_NAME, Surroundings};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The program as it is installed; it ends with this value.
pub(crate) struct Bouncer {
    pub(crate) process: Child,
}

impl Bouncer {
    pub(crate) fn start(surroundings: &Surroundings) -> anyhow::Result<Self> {
        let process = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .args(["serve", "--config"])
            .arg(surroundings.config_file())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { process })
    }

    /// Resident memory in megabytes, as Linux tells it.
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kibibytes.context("the process has ended")?.parse::<f64>()? / 1000.0)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // What has ended cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// User and system time of a process in seconds, as Linux tells it; its tick is 10 ms.
pub(crate) fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').context("a name stands in brackets")?;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub(crate) fn tls(surroundings: &Surroundings) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(surroundings.authority().certificate_der().clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

pub(crate) type Connection = SendRequest<Full<Bytes>>;

pub(crate) async fn connect(port: u16, tls: Arc<ClientConfig>) -> anyhow::Result<Connection> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(PUBLIC_NAME)?;
    let stream = TlsConnector::from(tls).connect(name, tcp).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What is asked of the bouncer.
pub(crate) struct Call {
    /// Below `/api/v1/remotes/`.
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) authorization: String,
    pub(crate) body: Bytes,
}

/// Any answer but 200 is an error.
pub(crate) async fn post(sender: &mut Connection, call: Call) -> anyhow::Result<()> {
    let Call { path, content_type, authorization, body } = call;
    let request = Request::post(format!("/api/v1/remotes/{path}"))
        .header(header::HOST, PUBLIC_NAME)
        .header(header::USER_AGENT, "ZulipServer/10.0")
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::new(body))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    ensure!(status == StatusCode::OK, "{status}: {}", String::from_utf8_lossy(&body));
    Ok(())
}
