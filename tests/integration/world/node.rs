//! Another server on the database of a world.

use std::net::SocketAddr;

use push_bouncer::{config::Config, server::Server};

use super::{ChatServer, World, sum_of};

/// A server beside the world's own.
pub(crate) struct Node(Server);

impl World {
    /// Starts another server with this configuration, at the same time.
    pub(crate) async fn another_node(&self, config: &str) -> Node {
        let config = Config::parse(config).expect("the test configuration is valid");
        let started = Box::pin(Server::bind(config, self.clock.clone())).await;
        Node(started.expect("the server starts"))
    }

    /// The same chat server as it is with another node.
    pub(crate) fn same_chat_server_at(&self, node: &Node, server: &ChatServer) -> ChatServer {
        server.moved_to(node.address(), self.surroundings.authority())
    }
}

impl Node {
    /// Where remote servers reach it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.public_address()
    }

    /// The sum of all series of a metric.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        sum_of(&self.0.app().metrics.encode(), name, &[])
    }

    /// Ends it gracefully.
    pub(crate) async fn shutdown(self) {
        self.0.shutdown().await;
    }
}
