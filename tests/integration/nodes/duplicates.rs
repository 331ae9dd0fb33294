//! A notify that comes again to another node reaches only the devices that did not accept the first one.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use push_bouncer::sandbox::faults::{Act, Outage, Script, Seen};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Nodes, PATIENT, is_away, is_back};
use crate::world::{ChatServer, IAGO, Phone, Program, Stage, User, message, to, until};

/// Iago's phones.
fn phones() -> [Phone; 2] {
    [Phone::apple("iphone"), Phone::android("android")]
}

/// Two nodes, and a chat server as it reaches each of them; its user has these phones.
async fn with_phones(settings: &str, phones: &[Phone]) -> (Nodes, [ChatServer; 2]) {
    let nodes = Nodes::start(settings).await;
    let servers = nodes.chat_server("chat.selfhosted.test").await;
    for some in phones.chunks(32) {
        join_all(some.iter().map(|phone| servers[0].register_phone(IAGO, phone))).await;
    }
    (nodes, servers)
}

/// How many pushes each phone has accepted.
fn accepted(stage: &Stage, phones: &[Phone]) -> Vec<u64> {
    let (apns, fcm) = (&stage.surroundings.apns, &stage.surroundings.fcm);
    let by_token = [apns.accepted_by_token(), fcm.accepted_by_token()];
    let of =
        |phone: &Phone| by_token.iter().filter_map(|accepted| accepted.get(&phone.token)).sum();
    phones.iter().map(of).collect()
}

/// What each request to Apple's fake for a phone was called.
fn ids(stage: &Stage, phone: &Phone) -> Vec<String> {
    let requests = stage.surroundings.apns.requests();
    let to_phone = requests.iter().filter(|request| request.token() == phone.token);
    to_phone.map(|request| request.header("apns-id").unwrap().to_owned()).collect()
}

/// Begins or ends an outage of Apple's fake.
fn set_outage(stage: &Stage, outage: Option<Outage>) {
    stage.surroundings.apns.faults().set_outage(outage);
}

/// The final outcomes of pushes at a node.
async fn outcomes(node: &Program, outcome: &str) -> f64 {
    node.metric("push_bouncer_pushes_total", &[&format!("outcome=\"{outcome}\"")]).await
}

/// What a node was told of pushes that it would have sent.
async fn claims(node: &Program, answer: &str) -> f64 {
    node.metric("push_bouncer_duplicate_claims_total", &[&format!("answer=\"{answer}\"")]).await
}

/// Waits until other nodes know what became of the pushes of this one.
async fn has_told(node: &Program) {
    let waiting = "push_bouncer_duplicate_outcomes_waiting";
    until("the node has told others what it knows", async || {
        (node.metric(waiting, &[]).await < 0.5).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_notify_at_two_nodes_at_once_reaches_each_device_once() {
    const ROUNDS: u64 = 25;
    let phones = phones();
    let (nodes, servers) = with_phones(PATIENT, &phones).await;
    for round in 1..=ROUNDS {
        let body = to(IAGO, message());
        let asking = servers.iter().chain(&servers).map(|server| server.notify(&body));
        for answer in join_all(asking).await {
            assert_eq!(answer["total_apple_devices"], 1, "{answer}");
        }
        until("each push has its outcome", async || {
            let of = async |node: &Program| node.metric("push_bouncer_pushes_total", &[]).await;
            let ended = of(&nodes.one).await + of(&nodes.other).await;
            #[expect(clippy::cast_precision_loss, reason = "they are few")]
            let all = round as f64 * 8.0;
            (ended == all).then_some(())
        })
        .await;
    }
    assert_eq!(accepted(&nodes.stage, &phones), [ROUNDS, ROUNDS]);
    for node in [&nodes.one, &nodes.other] {
        assert!(claims(node, "unknown").await < 0.5, "Redis was asked for each");
    }
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_at_another_node_reaches_only_who_failed_under_the_same_id() {
    let [iphone, android] = phones();
    let phones = [iphone, android, Phone::apple("refused")];
    let (nodes, [server, same]) = with_phones(PATIENT, &phones).await;
    let token = phones[2].token.clone();
    let script: Script = Arc::new(move |seen: &Seen| match seen.token == token {
        true => Act::Refuse("PayloadTooLarge".to_owned()),
        false => Act::Answer,
    });
    nodes.stage.surroundings.apns.faults().set_script(Some(script));
    let body = to(IAGO, message());
    let first = server.notify(&body).await;
    // At the same node it counts at once that it failed, whether or not others were told.
    server.notify(&body).await;
    has_told(&nodes.one).await;
    assert_eq!(same.notify(&body).await, first, "the totals stay");
    has_told(&nodes.other).await;
    nodes.stage.surroundings.apns.faults().set_script(None);
    // And back again: what this node remembers of the one that failed is not the last that was heard of it.
    server.notify(&body).await;
    has_told(&nodes.one).await;
    assert_eq!(accepted(&nodes.stage, &phones), [1, 1, 1]);
    same.notify(&body).await;
    assert_eq!(accepted(&nodes.stage, &phones), [1, 1, 1], "now all have accepted it");
    let ids = ids(&nodes.stage, &phones[2]);
    assert_eq!(ids.len(), 4, "one from each request but the last");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(outcomes(&nodes.other, "deduplicated").await, 5.0);
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_leaves_its_pushes_to_another() {
    let phones = [Phone::apple("iphone"), Phone::apple("ipad")];
    let (nodes, [server, same]) = with_phones(PATIENT, &phones[..1]).await;
    server.register_phone(User::other(), &phones[1]).await;
    set_outage(&nodes.stage, Some(Outage::ServiceUnavailable));
    let (known, unknown) = (to(IAGO, message()), to(User::other(), message()));
    for (body, phone) in [&known, &unknown].into_iter().zip(&phones) {
        server.notify(body).await;
        assert!(!ids(&nodes.stage, phone).is_empty(), "it is being tried");
    }
    same.notify(&known).await;
    until("it is known to be tried by a node that lives", async || {
        (outcomes(&nodes.other, "deduplicated").await == 1.0).then_some(())
    })
    .await;
    let Nodes { stage, redis, one, other } = nodes;
    one.kill();
    set_outage(&stage, None);
    // Each comes again once, at the moment of its death; of one this node hears for the first time.
    same.notify(&known).await;
    same.notify(&unknown).await;
    until("both are taken over", async || (accepted(&stage, &phones) == [1, 1]).then_some(()))
        .await;
    for phone in &phones {
        let ids = ids(&stage, phone);
        assert!(ids.iter().all(|id| *id == ids[0]), "it is the same push: {ids:?}");
    }
    assert_eq!(claims(&other, "taken_over").await, 2.0);
    let retries = "push_bouncer_push_retries_total";
    let interrupted = other.metric(retries, &["cause=\"interrupted\""]).await;
    assert_eq!(interrupted, 2.0, "both may have arrived");
    for body in [&known, &unknown] {
        same.notify(body).await;
    }
    assert_eq!(accepted(&stage, &phones), [1, 1]);
    other.terminate();
    assert!(other.end().await.success());
    drop(redis);
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_wakes_up_does_not_overrule_who_took_over() {
    const RETRY_FOR: Duration = Duration::from_secs(8);
    let phones = [Phone::apple("iphone")];
    let settings = format!("{PATIENT}push.retry_for = \"8s\"\n");
    let (nodes, [server, same]) = with_phones(&settings, &phones).await;
    set_outage(&nodes.stage, Some(Outage::ServiceUnavailable));
    let body = to(IAGO, message());
    server.notify(&body).await;
    let is_over = Instant::now() + RETRY_FOR;
    nodes.one.freeze();
    set_outage(&nodes.stage, None);
    until_taken_over(&nodes.stage, &same, &body, &phones).await;
    has_told(&nodes.other).await;
    sleep_until(is_over).await;
    nodes.one.thaw();
    until("it finds its time over", async || {
        let given_up = nodes.one.metric("push_bouncer_pushes_given_up_total", &[]).await;
        (given_up == 1.0).then_some(())
    })
    .await;
    has_told(&nodes.one).await;
    same.notify(&body).await;
    server.notify(&body).await;
    assert_eq!(accepted(&nodes.stage, &phones), [1], "what was accepted stays so");
    nodes.end().await;
}

/// Asks the other node until it has brought the push.
async fn until_taken_over(stage: &Stage, same: &ChatServer, body: &Value, phones: &[Phone]) {
    until("the other node takes it over", async || {
        sleep(Duration::from_millis(100)).await;
        same.notify(body).await;
        (accepted(stage, phones) == [1]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_brought_until_its_end_is_known_to_the_others() {
    const NOTIFIES: u64 = 60;
    let phones = [Phone::apple("iphone")];
    let (nodes, [server, same]) = with_phones(PATIENT, &phones).await;
    let bodies: Vec<Value> = (0..NOTIFIES).map(|_| to(IAGO, message())).collect();
    join_all(bodies.iter().map(|body| server.notify(body))).await;
    nodes.one.terminate();
    let Nodes { stage, redis, one, other } = nodes;
    assert!(one.end().await.success());
    for body in &bodies {
        same.notify(body).await;
    }
    assert_eq!(accepted(&stage, &phones), [NOTIFIES]);
    assert_eq!(claims(&other, "accepted").await, 60.0);
    other.terminate();
    assert!(other.end().await.success());
    drop(redis);
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_gave_up_at_its_end_goes_on_at_another_at_once() {
    let phones = [Phone::apple("iphone")];
    let (nodes, [server, same]) = with_phones(PATIENT, &phones).await;
    set_outage(&nodes.stage, Some(Outage::ServiceUnavailable));
    let body = to(IAGO, message());
    server.notify(&body).await;
    nodes.one.terminate();
    let Nodes { stage, redis, one, other } = nodes;
    assert!(one.end().await.success());
    set_outage(&stage, None);
    same.notify(&body).await;
    assert_eq!(accepted(&stage, &phones), [1]);
    let ids = ids(&stage, &phones[0]);
    assert!(ids.iter().all(|id| *id == ids[0]), "it is the same push: {ids:?}");
    other.terminate();
    assert!(other.end().await.success());
    drop(redis);
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_each_node_remembers_alone_and_tells_it_later() {
    let phones = phones();
    let (mut nodes, [server, same]) = with_phones(PATIENT, &phones).await;
    nodes.redis.kill();
    is_away(&nodes.one).await;
    is_away(&nodes.other).await;
    let (of_both, of_one) = (to(IAGO, message()), to(IAGO, message()));
    for _ in 0..3 {
        server.notify(&of_both).await;
        same.notify(&of_both).await;
    }
    assert_eq!(accepted(&nodes.stage, &phones), [2, 2], "once by each");
    server.notify(&of_one).await;
    assert_eq!(accepted(&nodes.stage, &phones), [3, 3]);
    // It finds that it can tell nobody.
    sleep(Duration::from_millis(600)).await;
    nodes.redis.run().await;
    for node in [&nodes.one, &nodes.other] {
        is_back(node).await;
        has_told(node).await;
    }
    same.notify(&of_one).await;
    assert_eq!(accepted(&nodes.stage, &phones), [3, 3], "it was told by the one that brought it");
    let new = to(IAGO, message());
    join_all([server.notify(&new), same.notify(&new)]).await;
    until("it is brought by one of them", async || {
        (accepted(&nodes.stage, &phones) == [4, 4]).then_some(())
    })
    .await;
    has_told(&nodes.one).await;
    has_told(&nodes.other).await;
    same.notify(&new).await;
    server.notify(&new).await;
    assert_eq!(accepted(&nodes.stage, &phones), [4, 4]);
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_answers_nothing_keeps_no_push() {
    let phones = phones();
    let (nodes, [server, same]) = with_phones("redis.timeout = \"300ms\"\n", &phones).await;
    nodes.redis.freeze();
    let body = to(IAGO, message());
    join_all([server.notify(&body), same.notify(&body)]).await;
    until("both nodes bring it while Redis is still silent", async || {
        (accepted(&nodes.stage, &phones) == [2, 2]).then_some(())
    })
    .await;
    nodes.redis.thaw();
    is_back(&nodes.one).await;
    nodes.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notify_for_hundreds_of_devices_is_claimed_in_parts() {
    let phones: Vec<Phone> = (0..300).map(|at| Phone::android(&format!("phone-{at}"))).collect();
    let (nodes, servers) = with_phones(PATIENT, &phones).await;
    let body = to(IAGO, message());
    join_all(servers.iter().map(|server| server.notify(&body))).await;
    until("each push has its outcome", async || {
        let repeated = outcomes(&nodes.one, "deduplicated").await
            + outcomes(&nodes.other, "deduplicated").await;
        let brought =
            outcomes(&nodes.one, "accepted").await + outcomes(&nodes.other, "accepted").await;
        (repeated + brought == 600.0).then_some(())
    })
    .await;
    let others = accepted(&nodes.stage, &phones).into_iter().filter(|pushes| *pushes != 1).count();
    assert_eq!(others, 0, "each of them once");
    nodes.end().await;
}
