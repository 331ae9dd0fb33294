//! Redis is stopped, frozen and drops its connections while two nodes work with it.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::NEEDS_SERVER;
use crate::{
    chaos::{Load, Plan, SETTINGS, for_seeds, is_long, say},
    world::{Fleet, Redis, Registered, Stage, until},
};

/// What a server may ask for in an hour; actors ask for less before they become other ones.
const LIMIT: usize = 60;

/// How long an answer of Redis may take: little, but more than a busy machine needs.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What must be acknowledged by each node before the next thing happens.
const SOME: usize = 10;

/// What happens to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Stopped,
    Frozen,
    ConnectionsDropped,
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nobody_waits_and_each_node_keeps_the_limit() {
    for_seeds(async |seed| Box::pin(world(seed)).await).await;
}

async fn world(seed: u64) {
    let mut redis = Redis::start().await;
    let stage = Stage::set("").await;
    assert!(stage.has_server(), "{NEEDS_SERVER}");
    let settings = format!(
        "{SETTINGS}{}redis.timeout = \"{}s\"\nlimits.server.rate = \"{LIMIT}/h\"\n\
         limits.server.max_delay = \"0\"\n",
        redis.setting(),
        TIMEOUT.as_secs(),
    );
    let fleet = Fleet::start(2, &stage.config_with(&settings)).await;
    let plan = Plan { requests_per_server: LIMIT / 2, ..Plan::of(seed) };
    let load = Load::begin(&stage, &fleet, &plan).await;
    let mut spells = Vec::new();
    assert_eq!(hammer(&stage, &fleet, LIMIT).await, LIMIT, "both count as one");
    for _ in 0..if is_long() { 4 } else { 1 } {
        for trouble in [Trouble::ConnectionsDropped, Trouble::Stopped, Trouble::Frozen] {
            load.until_work(&[0, 1], SOME).await;
            let began = Instant::now();
            say(&format_args!("{trouble:?}"));
            suffer(trouble, &mut redis, &stage, &fleet, &load).await;
            fleet.until_each_has("push_bouncer_redis_available", 1.0).await;
            spells.push((trouble, began, Instant::now()));
            assert_eq!(hammer(&stage, &fleet, LIMIT).await, LIMIT, "after {trouble:?}");
        }
    }
    load.until_work(&[0, 1], SOME).await;
    let ended = Box::pin(load.end()).await;
    for (trouble, began, end) in spells {
        say(&format_args!("{trouble:?}: {}", ended.journal.times_between(began, end)));
    }
    Box::pin(ended.reconcile(&stage, fleet)).await;
    stage.drop_database().await;
}

/// A trouble from its beginning to its end. While Redis is away nobody waits for it: it comes back only when many
/// were served.
async fn suffer(trouble: Trouble, redis: &mut Redis, stage: &Stage, fleet: &Fleet, load: &Load) {
    match trouble {
        Trouble::Stopped => redis.kill(),
        Trouble::Frozen => redis.freeze(),
        Trouble::ConnectionsDropped => return drop_connections(redis, fleet).await,
    }
    fleet.until_each_has("push_bouncer_redis_available", 0.0).await;
    load.until_work(&[0, 1], SOME).await;
    assert_eq!(hammer(stage, fleet, LIMIT + 10).await, 2 * LIMIT, "each counts for itself");
    match trouble {
        Trouble::Stopped => redis.run().await,
        Trouble::Frozen => redis.thaw(),
        Trouble::ConnectionsDropped => {}
    }
}

/// Ends the connections of both nodes, and waits until each has found it out.
async fn drop_connections(redis: &Redis, fleet: &Fleet) {
    const ERRORS: &str = "push_bouncer_redis_errors_total";
    let mut before = Vec::new();
    for node in fleet.iter() {
        before.push(node.program().metric(ERRORS, &[]).await);
    }
    redis.drop_connections().await;
    for (node, before) in fleet.iter().zip(before) {
        until("the node has found out that its connection is gone", async || {
            (node.program().metric(ERRORS, &[]).await > before).then_some(())
        })
        .await;
    }
}

/// A new chat server asks `times` at each node; how many requests are let through.
async fn hammer(stage: &Stage, fleet: &Fleet, times: usize) -> usize {
    const CONNECTIONS: usize = 4;
    let id = push_bouncer::random::Random::default().uuid();
    let server = stage.chat_server_of(fleet[0].address, &format!("h{id}.selfhosted.test"));
    assert_eq!(server.register().await, Registered::Created);
    let clients = fleet
        .iter()
        .flat_map(|node| (0..CONNECTIONS).map(|number| (number, stage.client_of(node.address))));
    let server = &server;
    let asking = clients.map(async |(number, mut client)| {
        let mut allowed = 0;
        for _ in (number..times).step_by(CONNECTIONS) {
            let status = client.status_as(&server.org_id, &server.org_key).await.status;
            assert!(matches!(status, 200 | 429), "{status}");
            allowed += usize::from(status == 200);
        }
        allowed
    });
    join_all(asking).await.into_iter().sum()
}
