//! PostgreSQL is stopped, crashes, drops its connections and falls silent while two nodes work on it.

use super::NEEDS_SERVER;
use crate::{
    chaos::{Load, Plan, SETTINGS, UNLIMITED, for_seeds, is_long, say},
    world::{Cable, Cluster, Fleet, Stage},
};

/// So that an absence is found out soon.
const QUICK: &str = "database.acquire_timeout = \"1s\"\ndatabase.statement_timeout = \"2s\"\n";

/// What must be acknowledged by each node before the next thing happens.
const SOME: usize = 10;

/// What happens to PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Stopped,
    Crashed,
    ConnectionsDropped,
    Frozen,
    /// Nothing passes on the way to it.
    Silent,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_ends_its_connections_loses_nothing_that_was_acknowledged() {
    use Trouble::{ConnectionsDropped, Crashed, Stopped};
    for_seeds(async |seed| {
        Box::pin(world(seed, &[Stopped, ConnectionsDropped, Crashed])).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_answers_nothing_loses_nothing_that_was_acknowledged() {
    use Trouble::{Frozen, Silent};
    for_seeds(async |seed| Box::pin(world(seed, &[Frozen, Silent])).await).await;
}

async fn world(seed: u64, troubles: &[Trouble]) {
    let mut cluster = Cluster::start().await;
    let stage = Stage::set_on_cluster(&cluster).await;
    let cable = Cable::to_database_of(&stage).await.expect(NEEDS_SERVER);
    let config = cable.config(&stage, &format!("{SETTINGS}{UNLIMITED}{QUICK}"));
    let fleet = Fleet::start(2, &config).await;
    fleet.until_each_has("push_bouncer_db_listening", 1.0).await;
    let plan = Plan { steady_are_served: true, ..Plan::of(seed) };
    let load = Load::begin(&stage, &fleet, &plan).await;
    for _ in 0..if is_long() { 3 } else { 1 } {
        for trouble in troubles {
            say(&format_args!("{trouble:?}"));
            load.until_work(&[0, 1], SOME).await;
            suffer(*trouble, &mut cluster, &cable, &fleet, &load).await;
            fleet.until_each_has("push_bouncer_db_available", 1.0).await;
        }
    }
    load.until_work(&[0, 1], SOME).await;
    let ended = Box::pin(load.end()).await;
    Box::pin(ended.reconcile(&stage, fleet)).await;
}

/// A trouble from its beginning to its end.
async fn suffer(
    trouble: Trouble,
    cluster: &mut Cluster,
    cable: &Cable,
    fleet: &Fleet,
    load: &Load,
) {
    match trouble {
        Trouble::Stopped => cluster.stop(),
        Trouble::Crashed => cluster.crash(),
        Trouble::Frozen => cluster.freeze(),
        Trouble::Silent => cable.silence(),
        Trouble::ConnectionsDropped => return cluster.drop_connections().await,
    }
    fleet.until_each_has("push_bouncer_db_available", 0.0).await;
    for node in 0..fleet.len() {
        load.until_notifies(node, SOME).await;
    }
    match trouble {
        Trouble::Stopped | Trouble::Crashed => cluster.run().await,
        Trouble::Frozen => cluster.thaw(),
        Trouble::Silent => cable.restore(),
        Trouble::ConnectionsDropped => {}
    }
}
