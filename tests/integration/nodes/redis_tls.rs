//! A Redis that is reached through TLS.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use push_bouncer::sandbox::authority::Authority;

use super::NEEDS_SERVER;
use crate::world::{Program, Stage, until};

/// A Redis with a certificate of `authority` for this machine; the end of the test ends it.
struct TlsRedis {
    process: Child,
    port: u16,
}

impl TlsRedis {
    async fn start(directory: &Path, authority: &Authority) -> Self {
        let (certificate, key) = authority.server_certificate(&["localhost"]).unwrap();
        let at = |name: &str| directory.join(name);
        fs::write(at("redis.pem"), certificate).unwrap();
        fs::write(at("redis.key"), key).unwrap();
        fs::write(at("authority.pem"), authority.certificate_pem()).unwrap();
        // Nobody takes the port meanwhile: the system hands out others first.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--tls-auth-clients", "no", "--save", "", "--appendonly", "no"])
            .arg("--tls-cert-file")
            .arg(at("redis.pem"))
            .arg("--tls-key-file")
            .arg(at("redis.key"))
            .arg("--tls-ca-cert-file")
            .arg(at("authority.pem"))
            .arg("--dir")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("`redis-server` is installed; `./check` does that");
        until("Redis listens", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
        Self { process, port }
    }
}

impl Drop for TlsRedis {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a node that trusts this authority, and says whether it has the Redis.
async fn is_there(redis: &TlsRedis, directory: &Path, authority: &Authority) -> bool {
    let trusted = directory.join("trusted.pem");
    fs::write(&trusted, authority.certificate_pem()).unwrap();
    let settings = format!(
        "redis.url = \"rediss://localhost:{}\"\nredis.tls_ca_file = {trusted:?}\nredis.timeout = \"5s\"\n",
        redis.port
    );
    let stage = Stage::set(&settings).await;
    assert!(stage.has_server(), "{NEEDS_SERVER}");
    let node = Program::start(&stage).await;
    let server = stage.chat_server_of(node.address, "chat.selfhosted.test");
    server.register().await;
    let mut client = stage.client_of(node.address);
    let answer = client.status_as(&server.org_id, &server.org_key).await;
    assert_eq!(answer.status, 200, "with a Redis or without");
    let is_there = node.metric("push_bouncer_redis_available", &[]).await > 0.5;
    node.terminate();
    assert!(node.end().await.success());
    stage.drop_database().await;
    is_there
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_is_trusted_by_its_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let redis = TlsRedis::start(directory.path(), &authority).await;
    assert!(is_there(&redis, directory.path(), &authority).await);
    assert!(!is_there(&redis, directory.path(), &stranger).await, "anybody could say that");
}
