//! Several nodes of one bouncer: real processes on one PostgreSQL database, and on one Redis.
//!
//! They need the PostgreSQL server of `PUSH_BOUNCER_TEST_DATABASE_URL` whichever database the other tests have.

use crate::world::{ChatServer, Program, Redis, Stage, until};

mod announcements;
mod brake;
mod database_gone;
mod database_troubles;
mod duplicates;
mod frozen;
mod killed;
mod limits;
mod redis_tls;
mod redis_troubles;

/// What a test says that finds no server for the database that its nodes would share.
const NEEDS_SERVER: &str = "nodes need PostgreSQL: set PUSH_BOUNCER_TEST_DATABASE_URL";

/// Few answers of a busy machine are so late that Redis is taken to be away.
const PATIENT: &str = "redis.timeout = \"5s\"\n";

async fn is_away(node: &Program) {
    let away =
        async || (node.metric("push_bouncer_redis_available", &[]).await < 0.5).then_some(());
    until("the node knows that Redis is away", away).await;
}

async fn is_back(node: &Program) {
    let back =
        async || (node.metric("push_bouncer_redis_available", &[]).await > 0.5).then_some(());
    until("the node has found Redis again", back).await;
}

/// Two nodes.
struct Nodes {
    stage: Stage,
    redis: Redis,
    one: Program,
    other: Program,
}

impl Nodes {
    /// Two nodes with these settings beside those of their Redis.
    async fn start(settings: &str) -> Self {
        let redis = Redis::start().await;
        let settings = format!("{}{settings}", redis.setting());
        let stage = Stage::set(&settings).await;
        assert!(stage.has_server(), "{NEEDS_SERVER}");
        let one = Program::start(&stage).await;
        let other = Program::start(&stage).await;
        Self { stage, redis, one, other }
    }

    /// A chat server that has registered, as it reaches each of them.
    async fn chat_server(&self, hostname: &str) -> [ChatServer; 2] {
        let server = self.stage.chat_server_of(self.one.address, hostname);
        server.register().await;
        let same = self.stage.chat_server_at(self.other.address, &server);
        [server, same]
    }

    /// Ends both as they are ended at an update.
    async fn end(self) {
        for node in [self.one, self.other] {
            node.terminate();
            assert!(node.end().await.success());
        }
        self.stage.drop_database().await;
    }
}
