//! A proxy that nobody here wrote: Debian's `tinyproxy`.

use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use super::ENDS_SOON;

/// A port that was free may be taken by somebody else in between.
const TRIES: usize = 5;

/// A running proxy; it ends when this is dropped.
pub(super) struct Tinyproxy {
    address: SocketAddr,
    directory: TempDir,
    process: Child,
}

impl Tinyproxy {
    /// Starts it on a free port of loopback, with these lines added to its configuration.
    pub(super) async fn start(rules: &str) -> Self {
        for _ in 0..TRIES {
            if let Some(proxy) = Self::try_start_at(free_address(), rules).await {
                return proxy;
            }
        }
        panic!("tinyproxy does not start");
    }

    /// Starts it at this address.
    pub(super) async fn start_at(address: SocketAddr, rules: &str) -> Self {
        Self::try_start_at(address, rules).await.expect("tinyproxy starts")
    }

    /// Ends it and starts it anew at the same address, with other lines.
    pub(super) async fn again(mut self, rules: &str) -> Self {
        self.process.kill().await.expect("tinyproxy ends");
        Self::start_at(self.address, rules).await
    }

    async fn try_start_at(address: SocketAddr, rules: &str) -> Option<Self> {
        let directory = TempDir::new().expect("there is room for a file");
        let (log, file) = (directory.path().join("log"), directory.path().join("tinyproxy.conf"));
        let (ip, port) = (address.ip(), address.port());
        let config = format!(
            "Listen {ip}\nPort {port}\nLogFile {log:?}\nLogLevel Connect\nAllow 127.0.0.1\n{rules}\n"
        );
        fs::write(&file, config).expect("there is room for a file");
        let started = Command::new("tinyproxy")
            .arg("-d")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("tinyproxy is missing. Install it: sudo apt-get install tinyproxy-bin")
            }
            Err(error) => panic!("tinyproxy does not start: {error}"),
        };
        while TcpStream::connect(address).await.is_err() {
            if process.try_wait().expect("a child can be asked").is_some() {
                return None;
            }
            sleep(Duration::from_millis(5)).await;
        }
        // Whoever answers is the proxy only if it still runs: it ends when the port is taken.
        let is_running = process.try_wait().expect("a child can be asked").is_none();
        is_running.then_some(Self { address, directory, process })
    }

    /// `host:port`.
    pub(super) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Settings that lead through it.
    pub(super) fn settings(&self) -> String {
        format!("{ENDS_SOON}proxy.url = \"http://{}\"\n", self.address)
    }

    /// The hosts it was asked to connect somebody to, in turn.
    pub(super) fn asked_for(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let targets = log.lines().filter_map(|line| line.split_once(": CONNECT "));
        targets.filter_map(|(_, line)| Some(line.split_once(' ')?.0.to_owned())).collect()
    }
}

/// An address of loopback where nobody listens.
pub(super) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}
