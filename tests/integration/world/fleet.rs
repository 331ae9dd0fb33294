//! Several processes of the program, each at an address that it keeps when it starts again.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    ops::Index,
    path::PathBuf,
};

use push_bouncer::random::Random;
use tempfile::TempDir;

use super::{Program, Stage, until};

/// Every node has an address of its own on loopback, on which nobody else takes this port meanwhile.
const PORT: u16 = 8443;

/// Nodes of one bouncer.
pub(crate) struct Fleet {
    nodes: Vec<KeptNode>,
}

/// One of them.
pub(crate) struct KeptNode {
    /// Where it serves chat servers.
    pub(crate) address: SocketAddr,
    config: PathBuf,
    program: Option<Program>,
    _directory: TempDir,
}

impl Fleet {
    /// Starts so many nodes with this configuration, but for the address.
    pub(crate) async fn start(count: usize, config: &str) -> Self {
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(KeptNode::start(config).await);
        }
        Self { nodes }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeptNode> {
        self.nodes.iter()
    }

    /// Kills one with SIGKILL.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].program.take().expect("it runs").kill();
    }

    /// Starts one again where it was.
    pub(crate) async fn start_again(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.program = Some(Program::start_with(&node.config).await);
    }

    /// Waits until a metric of each has this value.
    pub(crate) async fn until_each_has(&self, metric: &str, value: f64) {
        for node in &self.nodes {
            let is_so = async || (node.program().metric(metric, &[]).await == value).then_some(());
            until(&format!("{metric} is {value} on each node"), is_so).await;
        }
    }

    /// Ends all as they are ended at an update.
    pub(crate) async fn end(self) {
        for program in self.nodes.into_iter().filter_map(|node| node.program) {
            program.terminate();
            assert!(program.end().await.success());
        }
    }
}

impl Index<usize> for Fleet {
    type Output = KeptNode;

    fn index(&self, node: usize) -> &KeptNode {
        &self.nodes[node]
    }
}

impl KeptNode {
    async fn start(config: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("push-bouncer-node-").tempdir();
        let directory = directory.expect("a directory can be made");
        let address = SocketAddr::from((own_address(), PORT));
        let anywhere = "http.listen = [\"127.0.0.1:0\"]";
        assert!(config.contains(anywhere));
        let config_here = config.replace(anywhere, &format!("http.listen = [\"{address}\"]"));
        let config = directory.path().join("push-bouncer.toml");
        fs::write(&config, config_here).expect("a file can be written");
        let program = Some(Program::start_with(&config).await);
        Self { address, config, program, _directory: directory }
    }

    /// Its process, which runs.
    pub(crate) fn program(&self) -> &Program {
        self.program.as_ref().expect("it runs")
    }
}

/// An address of loopback that no other test has.
pub(super) fn own_address() -> Ipv4Addr {
    let [first, second, third] = Random::default().bytes::<3>();
    // 127.0.0.0/16 is for those who share an address.
    Ipv4Addr::new(127, first.max(1), second, third.clamp(1, 254))
}

impl Stage {
    /// The configuration of the stage with these settings besides.
    pub(crate) fn config_with(&self, settings: &str) -> String {
        format!("{}{settings}\n", self.surroundings.config())
    }
}
