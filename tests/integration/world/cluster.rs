//! A PostgreSQL server of a test's own, which can be stopped, crashed and frozen.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sea_orm::{ConnectionTrait as _, Database};
use tempfile::TempDir;

use super::{fleet::own_address, until};

/// It has an address of its own; this is no port that anybody listens on everywhere.
const PORT: u16 = 25432;

/// Where Debian has the programs of PostgreSQL, by version; elsewhere they are where all programs are.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// A PostgreSQL server with its data in a directory of its own.
pub(crate) struct Cluster {
    directory: TempDir,
    programs: PathBuf,
    address: Ipv4Addr,
    /// Whom it runs as where we are root, which PostgreSQL refuses.
    user: Option<(u32, u32)>,
    process: Option<Child>,
}

impl Cluster {
    /// Makes it and starts it.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("push-bouncer-postgresql-").tempdir();
        let directory = directory.expect("a directory can be made");
        let user = (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])));
        if let Some((user, group)) = user {
            chown(directory.path(), Some(user), Some(group)).expect("root may do it");
        }
        let mut cluster =
            Self { directory, programs: programs(), address: own_address(), user, process: None };
        let mut making = cluster.command("initdb");
        making.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D"]);
        let made = making.arg(cluster.data()).stdout(Stdio::null()).status();
        assert!(made.expect("PostgreSQL is installed; `./check` does that").success());
        cluster.run().await;
        cluster
    }

    /// Starts it again where it was.
    pub(crate) async fn run(&mut self) {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        let (address, port) = (self.address.to_string(), PORT.to_string());
        // The machine itself does not crash, so nothing need be on the disk.
        for setting in [
            format!("listen_addresses={address}"),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        self.process = Some(command.spawn().expect("`postgres` can be run"));
        let url = self.url();
        until("PostgreSQL answers", async || {
            // The port first: the driver asks again and again where it is refused.
            TcpStream::connect((self.address, PORT)).ok()?;
            Database::connect(url.as_str()).await.ok()?.close().await.ok()
        })
        .await;
    }

    /// The URL of its first database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}:{PORT}/postgres", self.address)
    }

    /// Stops it as an update does: connections are ended, transactions rolled back.
    pub(crate) fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it as a crash does: what was committed is found in its log at the next start.
    pub(crate) fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Ends all connections of its clients.
    pub(crate) async fn drop_connections(&self) {
        let database = Database::connect(self.url()).await.expect("PostgreSQL answers");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let ended = database.execute_unprepared(end).await.expect("it does as it is told");
        assert!(ended.rows_affected() > 0, "somebody was connected");
        database.close().await.expect("the connection can be closed");
    }

    /// Holds it and all its processes as they are: connections are taken, and nothing is answered.
    pub(crate) fn freeze(&self) {
        // First the one that could start others.
        signal("STOP", &[self.id()]);
        signal("STOP", &children_of(self.id()));
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) {
        signal("CONT", &children_of(self.id()));
        signal("CONT", &[self.id()]);
    }

    fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    fn end(&mut self, name: &str) {
        signal(name, &[self.id()]);
        self.process.take().expect("it runs").wait().expect("it ends");
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // All of them, also where a test failed that had frozen them.
            let children = children_of(process.id());
            let _ = process.kill();
            let _ = process.wait();
            for child in children {
                let _ = Command::new("kill").args(["-s", "KILL", &child.to_string()]).status();
            }
        }
    }
}

fn signal(name: &str, processes: &[u32]) {
    let ids = processes.iter().map(ToString::to_string);
    let sent = Command::new("kill").args(["-s", name]).args(ids).stderr(Stdio::null()).status();
    // One of them may have ended meanwhile.
    sent.expect("`kill` is there");
}

fn children_of(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    children.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// The newest of PostgreSQL's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir(PROGRAMS).into_iter().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<f64>().ok();
    let mut found: Vec<(f64, PathBuf)> = versions
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter_map(|path| Some((version(&path)?, path.join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    found.pop().map(|(_, programs)| programs).unwrap_or_default()
}

/// What `id` prints.
fn id(arguments: &[&str]) -> u32 {
    let printed = Command::new("id").args(arguments).output().expect("`id` is there").stdout;
    String::from_utf8(printed).unwrap().trim().parse().expect("`id` prints a number")
}
