//! The brake on removing devices, by what all nodes count together.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use tokio::time::sleep;

use super::{Nodes, PATIENT, is_away, is_back};
use crate::world::{ChatServer, Phone, Program, Redis, User, message, to, until};

/// What the nodes told of Apple's app.
const COUNTS: &str = "push-bouncer:brake:apns:sandbox";

const RELEASE: [&str; 5] = ["brake", "release", "apns", "sandbox", "--restore"];

async fn start(settings: &str) -> Nodes {
    Nodes::start(&format!("push.answer_within = \"10s\"\n{settings}")).await
}

/// Registers phones that Apple calls bad for a user, and notifies him. Each counts when this is over.
async fn send_to_bad(server: &ChatServer, user: i64, numbers: Range<u32>) {
    send(server, user, "badtok", numbers).await;
}

/// The same with phones that accept.
async fn send_to_good(server: &ChatServer, user: i64, numbers: Range<u32>) {
    send(server, user, "iphone", numbers).await;
}

async fn send(server: &ChatServer, user: i64, kind: &str, numbers: Range<u32>) {
    let user = User::number(user);
    for number in numbers {
        let phone = Phone::apple(&format!("{kind}-{}-{number}", server.hostname));
        server.register_phone(user, &phone).await;
    }
    server.notify(&to(user, message())).await;
}

async fn is_on(node: &Program) -> bool {
    let labels = ["provider=\"apns\"", "app=\"sandbox\""];
    node.metric("push_bouncer_token_brake_engaged", &labels).await > 0.5
}

async fn until_it_is(is_wanted: bool, nodes: &[&Program]) {
    for node in nodes {
        until(&format!("the brake is on: {is_wanted}"), async || {
            (is_on(node).await == is_wanted).then_some(())
        })
        .await;
    }
}

/// When each node told last what it counted.
async fn told(redis: &Redis) -> BTreeMap<String, u64> {
    let hash = redis.hash(COUNTS).await;
    let moment = |text: &String| text.split_once(' ').unwrap().0.parse().unwrap();
    hash.iter().map(|(node, text)| (node.clone(), moment(text))).collect()
}

/// Waits until so many nodes, which have counted something, have told it, have then heard what all of them told, and
/// have then done what there was to do about it.
async fn until_they_know(redis: &Redis, nodes: usize) {
    for _ in 0..3 {
        let before = told(redis).await;
        until("all nodes tell again", async || {
            let now = told(redis).await;
            let told = now.iter().filter(|(node, now)| before.get(*node) < Some(*now));
            (told.count() >= nodes).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_see_too_little_each_put_the_brake_on_together() {
    let nodes = start(PATIENT).await;
    let both = [&nodes.one, &nodes.other];
    let [server, same] = nodes.chat_server("chat.selfhosted.test").await;
    send_to_bad(&server, 1, 0..30).await;
    until_they_know(&nodes.redis, 1).await;
    assert!(!is_on(&nodes.one).await && !is_on(&nodes.other).await, "30 say nothing");
    let (_, _, gone) = nodes.stage.states_of_devices().await;
    assert_eq!(gone, 2, "before anything was accepted");
    send_to_bad(&same, 2, 30..60).await;
    until_it_is(true, &both).await;
    until("they come back", async || {
        (nodes.stage.states_of_devices().await == (0, 60, 0)).then_some(())
    })
    .await;

    nodes.stage.done(&RELEASE).await;
    until_it_is(false, &both).await;
    // What was counted before is no reason to put it on again.
    send_to_bad(&server, 3, 60..80).await;
    send_to_bad(&same, 4, 80..100).await;
    until_they_know(&nodes.redis, 2).await;
    assert!(!is_on(&nodes.one).await && !is_on(&nodes.other).await, "40 since then");
    send_to_bad(&server, 5, 100..110).await;
    until_it_is(true, &both).await;
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_that_sends_nonsense_to_all_nodes_does_not_put_the_brake_on() {
    let nodes = start(PATIENT).await;
    let [quiet, quiet_too] = nodes.chat_server("quiet.test").await;
    let [loud, loud_too] = nodes.chat_server("loud.test").await;
    let [third, third_too] = nodes.chat_server("third.test").await;
    send_to_good(&quiet, 1, 0..30).await;
    send_to_good(&quiet_too, 2, 30..60).await;
    until_they_know(&nodes.redis, 2).await;
    // Of each node alone the others' 30 pushes would be too few to tell.
    send_to_bad(&loud, 1, 0..30).await;
    send_to_bad(&loud_too, 2, 30..60).await;
    until_they_know(&nodes.redis, 2).await;
    assert!(!is_on(&nodes.one).await && !is_on(&nodes.other).await);
    assert_eq!(nodes.stage.states_of_devices().await, (60, 0, 60));
    // Without the loud one 22 of 82 are bad.
    send_to_bad(&third, 1, 0..11).await;
    send_to_bad(&third_too, 2, 11..22).await;
    until_it_is(true, &[&nodes.one, &nodes.other]).await;
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_sees_nothing_but_one_servers_nonsense_does_not_put_the_brake_on() {
    let nodes = start(PATIENT).await;
    let [quiet, _] = nodes.chat_server("quiet.test").await;
    let [_, loud] = nodes.chat_server("loud.test").await;
    send_to_good(&quiet, 1, 0..60).await;
    until_they_know(&nodes.redis, 1).await;
    // Whoever tells hears too, but this one had nothing to tell until now.
    send_to_bad(&loud, 1, 0..1).await;
    until_they_know(&nodes.redis, 2).await;
    send_to_bad(&loud, 2, 1..60).await;
    until_they_know(&nodes.redis, 2).await;
    assert!(!is_on(&nodes.one).await && !is_on(&nodes.other).await);
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_through_a_release_brings_nothing_up_again() {
    let nodes = start(PATIENT).await;
    let [server, same] = nodes.chat_server("chat.selfhosted.test").await;
    send_to_bad(&same, 2, 30..60).await;
    until_they_know(&nodes.redis, 1).await;
    nodes.other.freeze();
    send_to_bad(&server, 1, 0..30).await;
    until_it_is(true, &[&nodes.one]).await;
    nodes.stage.done(&RELEASE).await;
    until("the node tells of the release", async || {
        told(&nodes.redis).await.is_empty().then_some(())
    })
    .await;
    nodes.other.thaw();
    // The one that was awake has counted nothing since: what is told is the other's.
    until("the other one tells what it counted", async || {
        sleep(Duration::from_millis(200)).await;
        send_to_good(&same, 3, 0..1).await;
        (told(&nodes.redis).await.len() == 1).then_some(())
    })
    .await;
    send_to_bad(&server, 4, 60..90).await;
    until_they_know(&nodes.redis, 2).await;
    assert!(!is_on(&nodes.one).await && !is_on(&nodes.other).await, "30 since then");
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_while_redis_was_away_is_told_when_it_is_back() {
    let mut nodes = start(PATIENT).await;
    let [server, same] = nodes.chat_server("chat.selfhosted.test").await;
    nodes.redis.kill();
    is_away(&nodes.one).await;
    is_away(&nodes.other).await;
    send_to_bad(&server, 1, 0..30).await;
    send_to_bad(&same, 2, 30..60).await;
    assert!(!is_on(&nodes.one).await && !is_on(&nodes.other).await, "each counts alone");
    nodes.redis.run().await;
    is_back(&nodes.one).await;
    is_back(&nodes.other).await;
    // Without another push.
    until_it_is(true, &[&nodes.one, &nodes.other]).await;
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_what_a_node_counts_itself_is_enough() {
    let mut nodes = start(PATIENT).await;
    let [server, same] = nodes.chat_server("chat.selfhosted.test").await;
    // So many that a node that knew of them would not put the brake on.
    send_to_good(&same, 1, 0..30).await;
    for _ in 0..10 {
        same.notify(&to(User::number(1), message())).await;
    }
    until_they_know(&nodes.redis, 1).await;
    nodes.redis.kill();
    is_away(&nodes.one).await;
    send_to_bad(&server, 2, 0..60).await;
    until_it_is(true, &[&nodes.one, &nodes.other]).await;
    nodes.redis.run().await;
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_counted_outlives_it_and_counts_once_whatever_redis_answers() {
    let nodes = start("redis.timeout = \"1s\"\n").await;
    let [server, same] = nodes.chat_server("chat.selfhosted.test").await;
    send_to_bad(&server, 1, 0..20).await;
    until_they_know(&nodes.redis, 1).await;
    for _ in 0..2 {
        // What it is told now it does when it goes on, and nobody hears of that.
        nodes.redis.freeze();
        is_away(&nodes.one).await;
        nodes.redis.thaw();
        is_back(&nodes.one).await;
        until_they_know(&nodes.redis, 1).await;
    }
    let Nodes { stage, redis, one, other } = nodes;
    one.kill();
    send_to_bad(&same, 2, 20..40).await;
    until_they_know(&redis, 1).await;
    assert!(!is_on(&other).await, "40, and each of them once");
    send_to_bad(&same, 3, 40..50).await;
    until_it_is(true, &[&other]).await;
    other.terminate();
    assert!(other.end().await.success());
    drop(redis);
    stage.drop_database().await;
}
