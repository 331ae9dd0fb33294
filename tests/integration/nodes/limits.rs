//! The limit of a server over all nodes.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Nodes, PATIENT, is_away, is_back};
use crate::world::{Answer, ChatServer, Client, Program, Redis, Stage};

async fn status(client: &mut Client, server: &ChatServer) -> Answer {
    client.status_as(&server.org_id, &server.org_key).await
}

/// Asks for the status `times` at each node, with eight connections each; how many were let through.
async fn hammer(nodes: &Nodes, server: &ChatServer, times: usize) -> usize {
    const CONNECTIONS: usize = 8;
    let clients = [&nodes.one, &nodes.other]
        .into_iter()
        .flat_map(|node| (0..CONNECTIONS).map(|_| nodes.stage.client_of(node.address)));
    let asking = clients.map(async |mut client| {
        let mut allowed = 0;
        for _ in 0..times / CONNECTIONS {
            let answer = status(&mut client, server).await;
            assert!(matches!(answer.status, 200 | 429), "{}", answer.status);
            allowed += usize::from(answer.status == 200);
        }
        allowed
    });
    join_all(asking).await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hammers_two_nodes_gets_its_limit_once() {
    let rate = "limits.server.rate = \"1000/h\"\nlimits.server.max_delay = \"0\"\n";
    let nodes = Nodes::start(&format!("{PATIENT}{rate}")).await;
    let [server, _] = nodes.chat_server("chat.selfhosted.test").await;
    let [neighbour, at_other] = nodes.chat_server("neighbour.selfhosted.test").await;
    assert_eq!(hammer(&nodes, &server, 800).await, 1000);
    let mut client = nodes.stage.client_of(nodes.other.address);
    let refused = status(&mut client, &server).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((3000..=3600).contains(&wait), "the first is old in an hour: {wait}");
    assert_eq!(status(&mut client, &at_other).await.header("x-ratelimit-remaining"), "999");
    let mut client = nodes.stage.client_of(nodes.one.address);
    assert_eq!(status(&mut client, &neighbour).await.header("x-ratelimit-remaining"), "998");
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_what_another_node_let_through() {
    let nodes = Nodes::start(&format!("{PATIENT}limits.server.rate = \"2/s\"\n")).await;
    let [server, _] = nodes.chat_server("chat.selfhosted.test").await;
    let mut one = nodes.stage.client_of(nodes.one.address);
    let mut other = nodes.stage.client_of(nodes.other.address);
    let began = Instant::now();
    for _ in 0..2 {
        assert_eq!(status(&mut one, &server).await.status, 200);
        assert_eq!(status(&mut other, &server).await.status, 200);
    }
    assert!(began.elapsed() >= Duration::from_millis(998), "{:?}", began.elapsed());
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_each_node_counts_for_itself() {
    let rate = "limits.server.rate = \"10/h\"\nlimits.server.max_delay = \"0\"\n";
    let mut nodes = Nodes::start(&format!("{PATIENT}{rate}")).await;
    let [server, _] = nodes.chat_server("chat.selfhosted.test").await;
    let mut one = nodes.stage.client_of(nodes.one.address);
    for _ in 0..4 {
        assert_eq!(status(&mut one, &server).await.status, 200);
    }
    nodes.redis.kill();
    is_away(&nodes.one).await;
    is_away(&nodes.other).await;
    // What it let through before counts on, and what the other one does not.
    assert_eq!(hammer(&nodes, &server, 16).await, 6 + 10);
    nodes.redis.run().await;
    is_back(&nodes.one).await;
    is_back(&nodes.other).await;
    // It has forgotten everything, and counts for both again.
    assert_eq!(hammer(&nodes, &server, 16).await, 10);
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_answers_nothing_keeps_nobody_waiting() {
    let nodes = Nodes::start("redis.timeout = \"300ms\"\n").await;
    let [server, _] = nodes.chat_server("chat.selfhosted.test").await;
    let mut client = nodes.stage.client_of(nodes.one.address);
    assert_eq!(status(&mut client, &server).await.status, 200);
    nodes.redis.freeze();
    is_away(&nodes.one).await;
    let answers = nodes.one.metric("push_bouncer_redis_errors_total", &[]).await;
    for _ in 0..50 {
        assert_eq!(status(&mut client, &server).await.status, 200);
    }
    let asked = nodes.one.metric("push_bouncer_redis_errors_total", &[]).await - answers;
    assert!(asked < 1.0, "nobody asks a Redis that is away: {asked}");
    nodes.redis.thaw();
    is_back(&nodes.one).await;
    assert_eq!(status(&mut client, &server).await.status, 200);
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_may_pass_uncounted_requests_are_to_come_again() {
    let mut nodes = Nodes::start(&format!("{PATIENT}redis.on_failure = \"closed\"\n")).await;
    let [server, _] = nodes.chat_server("chat.selfhosted.test").await;
    nodes.redis.kill();
    is_away(&nodes.one).await;
    let mut client = nodes.stage.client_of(nodes.one.address);
    let refused = status(&mut client, &server).await;
    assert_eq!((refused.status, &refused.json()["result"]), (503, &"error".into()));
    assert!(refused.headers.contains_key("retry-after"));
    nodes.redis.run().await;
    is_back(&nodes.one).await;
    assert_eq!(status(&mut client, &server).await.status, 200);
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_redis_is_used_and_never_told() {
    let redis = Redis::start_with(Some("correct-horse")).await;
    for (password, is_right) in [("correct-horse", true), ("battery-staple", false)] {
        let stage = Stage::set(&redis.setting_with(password)).await;
        let node = Program::start(&stage).await;
        let available = node.metric("push_bouncer_redis_available", &[]).await > 0.5;
        assert_eq!(available, is_right, "{password}");
        let server = stage.chat_server_of(node.address, "chat.selfhosted.test");
        server.register().await;
        node.terminate();
        let (status, log) = node.end_with_log().await;
        assert!(status.success());
        let is_told = log.iter().any(|line| line["event"] == "redis.lost");
        assert_eq!(is_told, !is_right, "{log:?}");
        assert!(!format!("{log:?}").contains(password), "{log:?}");
        stage.drop_database().await;
    }
}
