//! A Redis of a test's own, which can be taken away and held.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::until;

/// A Redis that listens on a socket in a directory of its own, and keeps nothing.
pub(crate) struct Redis {
    directory: TempDir,
    process: Option<Child>,
    password: Option<&'static str>,
}

impl Redis {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts it so that it asks for this password.
    pub(crate) async fn start_with(password: Option<&'static str>) -> Self {
        let directory = tempfile::Builder::new().prefix("push-bouncer-redis-").tempdir();
        let directory = directory.expect("a directory can be made");
        let mut redis = Self { directory, process: None, password };
        redis.run().await;
        redis
    }

    /// The setting with its URL, and its password if it asks for one.
    pub(crate) fn setting(&self) -> String {
        self.setting_with(self.password.unwrap_or_default())
    }

    /// The same with another password; none for an empty one.
    pub(crate) fn setting_with(&self, password: &str) -> String {
        let password = match password {
            "" => String::new(),
            password => format!("?pass={password}"),
        };
        format!("redis.url = \"redis+unix://{}{password}\"\n", self.socket().display())
    }

    /// Ends it, with all it knows.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
    }

    /// Starts it again where it was.
    pub(crate) async fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--dir")
            .arg(self.directory.path());
        if let Some(password) = self.password {
            command.args(["--requirepass", password]);
        }
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.process = Some(process.expect("`redis-server` is installed; `./check` does that"));
        let socket = self.socket();
        let listens = async || std::os::unix::net::UnixStream::connect(&socket).ok();
        until("Redis listens", listens).await;
    }

    /// Holds it as it is: it takes what it is told, and answers nothing.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Ends the connections of all its clients.
    pub(crate) async fn drop_connections(&self) {
        let mut connection = self.connection().await;
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
        let killed: u64 =
            kill.query_async(&mut connection).await.expect("Redis does as it is told");
        assert!(killed > 0, "somebody was connected");
    }

    /// The fields of a hash.
    pub(crate) async fn hash(&self, key: &str) -> BTreeMap<String, String> {
        let mut connection = self.connection().await;
        let read = redis::cmd("HGETALL").arg(key).query_async(&mut connection).await;
        read.expect("Redis says what it has")
    }

    async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(format!("redis+unix://{}", self.socket().display()));
        let client = client.expect("it is the URL of a socket");
        client.get_multiplexed_async_connection().await.expect("Redis answers")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("`kill` is there").success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // One that has ended cannot be killed.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
