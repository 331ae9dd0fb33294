//! The program as it is installed, in a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use serde_json::Value;

use super::{Stage, operator, until};

/// The program as it is installed.
pub(crate) struct Program {
    process: Child,
    /// Where it serves chat servers.
    pub(crate) address: SocketAddr,
    operator: SocketAddr,
    log: Arc<Mutex<Vec<Value>>>,
    reading: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts `serve` with the stage's configuration, and waits until it says that it serves.
    pub(crate) async fn start(stage: &Stage) -> Self {
        Self::start_with(&stage.surroundings.config_file()).await
    }

    /// The same with the configuration in this file.
    pub(crate) async fn start_with(config: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .arg("serve")
            .arg("--config")
            .arg(config)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = BufReader::new(process.stderr.take().expect("its log is piped"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        // Its log is read to the end, so that it never waits for a reader.
        let reading = std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if let Ok(line) = serde_json::from_str(&line) {
                    written.lock().unwrap().push(line);
                }
            }
        });
        let addresses = async || lines.lock().unwrap().iter().find_map(addresses_in);
        let (address, operator) = until("it says where it serves", addresses).await;
        Self { process, address, operator, log: lines, reading: Some(reading) }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// The sum of all series of a metric whose labels contain all of `labels`, each written `name="value"`.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = operator::get(self.operator, "/metrics").await;
        operator::sum_of(&text, name, labels)
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Asks it to read its files again.
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    /// The lines of its log about an event, from the beginning.
    pub(crate) fn log_about(&self, event: &str) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line["event"] == event).cloned().collect()
    }

    /// Ends it without a word to it, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
        let panics = self.log_about("panic");
        assert!(panics.is_empty(), "{panics:?}");
    }

    /// Holds it as it is; what is said to it waits.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("`kill` is there").success());
    }

    /// What it has in memory, in bytes: all of it, and what of that is not a page of a file.
    pub(crate) fn resident_bytes(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("a process has a status");
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let kibibytes = kibibytes.and_then(|number| number.parse::<u64>().ok());
            kibibytes.expect("resident memory is shown") * 1024
        };
        (bytes("VmRSS:"), bytes("RssAnon:"))
    }

    /// Waits for its end, and gives its whole log with it. A panic is never what a test is about.
    pub(crate) async fn end_with_log(mut self) -> (ExitStatus, Vec<Value>) {
        let process = &mut self.process;
        let ended = async || process.try_wait().expect("a child can be waited for");
        let status = until("the program ends", ended).await;
        let reading = self.reading.take().expect("its log is read once");
        reading.join().expect("its log was read to the end");
        let panics = self.log_about("panic");
        assert!(panics.is_empty(), "{panics:?}");
        (status, std::mem::take(&mut *self.log.lock().unwrap()))
    }

    /// Waits for its end.
    pub(crate) async fn end(self) -> ExitStatus {
        self.end_with_log().await.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A test that fails leaves no program behind; one that has ended cannot be killed.
        let _ = self.process.kill();
    }
}

/// The public and the operator's address in the line of the log that says that it serves.
fn addresses_in(line: &Value) -> Option<(SocketAddr, SocketAddr)> {
    if line["event"] != "server.started" {
        return None;
    }
    let address = |name: &str| line[name].as_str()?.parse().ok();
    Some((address("public")?, address("operator")?))
}
