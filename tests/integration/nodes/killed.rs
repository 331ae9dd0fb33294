//! Two of three nodes are killed under load, one after the other, and start again.

use super::NEEDS_SERVER;
use crate::{
    chaos::{Load, Plan, SETTINGS, UNLIMITED, for_seeds, is_long, refuse_some},
    world::{Chance, Fleet, Redis, Stage},
};

/// No answer is given before each phone has had its first attempt, and no Redis is taken to be away.
const PATIENT: &str = "push.answer_within = \"10s\"\nredis.timeout = \"5s\"\n";

/// What must be acknowledged by a node before the next thing happens.
const SOME: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_the_nodes_that_said_it() {
    for_seeds(async |seed| Box::pin(world(seed)).await).await;
}

async fn world(seed: u64) {
    let redis = Redis::start().await;
    let stage = Stage::set("").await;
    assert!(stage.has_server(), "{NEEDS_SERVER}");
    let settings = format!("{SETTINGS}{UNLIMITED}{PATIENT}{}", redis.setting());
    let mut fleet = Fleet::start(3, &stage.config_with(&settings)).await;
    refuse_some(&stage);
    let mut load = Load::begin(&stage, &fleet, &Plan::of(seed)).await;
    let mut chance = Chance::of(seed, u64::MAX);
    for _ in 0..if is_long() { 4 } else { 1 } {
        let first = usize::try_from(chance.below(3)).unwrap();
        let (second, third) = ((first + 1) % 3, (first + 2) % 3);
        load.until_work(&[first, second, third], SOME).await;
        kill(&stage, &mut fleet, &mut load, first).await;
        load.until_work(&[second, third], SOME).await;
        kill(&stage, &mut fleet, &mut load, second).await;
        fleet.start_again(first).await;
        load.until_work(&[first, third], SOME).await;
        fleet.start_again(second).await;
        load.until_work(&[first, second, third], SOME).await;
    }
    let ended = Box::pin(load.end()).await;
    Box::pin(ended.reconcile(&stage, fleet)).await;
    stage.drop_database().await;
}

/// Kills a node after it has written what it counted, and gone on for a while.
async fn kill(stage: &Stage, fleet: &mut Fleet, load: &mut Load, node: usize) {
    load.until_written(stage, node).await;
    load.until_notifies(node, SOME).await;
    load.kill(fleet, node);
}
