//! A notify that comes again reaches only the devices that did not accept the first one.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use push_bouncer::sandbox::faults::{Act, Outage, Script, Seen};
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{NOTICED, accepted, outcomes, until_accepted, until_outcomes, with_phones};
use crate::world::{ChatServer, IAGO, Phone, User, World, message, to, until};

const MINUTE: Duration = Duration::from_secs(60);
const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

/// Android and Apple devices in an answer.
fn totals(answer: &Value) -> (Option<u64>, Option<u64>) {
    (answer["total_android_devices"].as_u64(), answer["total_apple_devices"].as_u64())
}

/// A world in which Iago has a phone of each kind.
async fn with_two(settings: &str) -> (World, ChatServer, [Phone; 2]) {
    let phones = [Phone::apple("iphone"), Phone::android("android")];
    let (world, server) = with_phones(settings, &phones).await;
    (world, server, phones)
}

/// How often each phone accepted.
fn each(world: &World, phones: &[Phone; 2]) -> [u64; 2] {
    [accepted(world, &phones[0]), accepted(world, &phones[1])]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_reaches_only_devices_that_did_not_accept() {
    let (world, server, phones) = with_two("").await;
    let refused = Phone::apple("refused");
    server.register_phone(IAGO, &refused).await;
    let token = refused.token.clone();
    let script: Script = Arc::new(move |seen: &Seen| match seen.token == token {
        true => Act::Refuse("PayloadTooLarge".to_owned()),
        false => Act::Answer,
    });
    world.surroundings.apns.faults().set_script(Some(script));
    let body = to(IAGO, message());

    assert_eq!(totals(&server.notify(&body).await), (Some(1), Some(2)));
    assert_eq!((each(&world, &phones), accepted(&world, &refused)), ([1, 1], 0));
    assert_eq!(world.arrived(), (2, 1));

    // The two that accepted are not asked; the one that failed is, and fails again.
    assert_eq!(totals(&server.notify(&body).await), (Some(1), Some(2)), "the totals stay");
    assert_eq!(world.arrived(), (3, 1));
    until_outcomes(&world, "deduplicated", 2.0).await;

    world.surroundings.apns.faults().set_script(None);
    assert_eq!(totals(&server.notify(&body).await), (Some(1), Some(2)));
    assert_eq!((each(&world, &phones), accepted(&world, &refused)), ([1, 1], 1));
    assert_eq!(totals(&server.notify(&body).await), (Some(1), Some(2)));
    assert_eq!(world.arrived(), (4, 1), "now all have accepted it");
    until_outcomes(&world, "deduplicated", 7.0).await;
    until_outcomes(&world, "payload_rejected", 2.0).await;
    until_outcomes(&world, "accepted", 3.0).await;
    world.until_metric("push_bouncer_pushes_total", &[], 12.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_tried_is_not_doubled() {
    let (world, server, phones) = with_two("").await;
    for faults in [world.surroundings.apns.faults(), world.surroundings.fcm.faults()] {
        faults.set_outage(Some(Outage::ServiceUnavailable));
    }
    let body = to(IAGO, message());
    for _ in 0..3 {
        assert_eq!(totals(&server.notify(&body).await), (Some(1), Some(1)));
    }
    let waiting = world.metric("push_bouncer_push_retry_entries", &[]).await;
    assert!(waiting <= 2.0, "one for each phone: {waiting}");
    until_outcomes(&world, "deduplicated", 4.0).await;
    for faults in [world.surroundings.apns.faults(), world.surroundings.fcm.faults()] {
        faults.set_outage(None);
    }
    for phone in &phones {
        until_accepted(&world, phone, 1).await;
    }
    server.notify(&body).await;
    world.clock.advance(5 * MINUTE);
    sleep(NOTICED).await;
    assert_eq!(each(&world, &phones), [1, 1], "once");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_window_a_repeat_is_a_new_notification() {
    let (world, server, phones) = with_two("").await;
    let body = to(IAGO, message());
    server.notify(&body).await;
    world.clock.advance(10 * MINUTE - Duration::from_secs(20));
    server.notify(&body).await;
    assert_eq!(each(&world, &phones), [1, 1], "within ten minutes");
    world.clock.advance(Duration::from_secs(20));
    server.notify(&body).await;
    assert_eq!(each(&world, &phones), [2, 2], "ten minutes after the first");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_body_of_another_server_or_for_another_user_is_another_notification() {
    let (world, server, phones) = with_two("").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    for phone in &phones {
        neighbour.register_phone(IAGO, phone).await;
        server.register_phone(User::other(), phone).await;
    }
    let payloads = message();
    let body = to(IAGO, payloads.clone());
    server.notify(&body).await;
    neighbour.notify(&body).await;
    assert_eq!(each(&world, &phones), [2, 2]);
    server.notify(&to(User::other(), payloads)).await;
    assert_eq!(each(&world, &phones), [3, 3]);
    assert_eq!(outcomes(&world, "deduplicated").await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notification_is_sent_as_often_as_it_is_asked_for() {
    let (world, server, phones) = with_two("").await;
    for phone in &phones {
        let mut body = to(IAGO, json!({"base_payload": {"realm_name": "Lear"}}));
        body["token"] = phone.token.clone().into();
        body["token_kind"] = phone.token_kind().into();
        for _ in 0..3 {
            let reply = server.json("push/test_notification", &body).await;
            assert_eq!(reply.status, 200, "{}", reply.json);
        }
    }
    assert_eq!(each(&world, &phones), [3, 3]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_zero_turns_it_off() {
    let (world, server, phones) = with_two("push.duplicate_window = \"0\"").await;
    let body = to(IAGO, message());
    for _ in 0..3 {
        server.notify(&body).await;
    }
    assert_eq!(each(&world, &phones), [3, 3]);
    assert_eq!(outcomes(&world, "deduplicated").await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_ten_times_at_once_reaches_each_device_once() {
    let (world, server, phones) = with_two("").await;
    for faults in [world.surroundings.apns.faults(), world.surroundings.fcm.faults()] {
        faults.set_latency(Duration::from_millis(300));
    }
    let body = to(IAGO, message());
    let answers = join_all((0..10).map(|_| server.notify(&body))).await;
    for answer in &answers {
        assert_eq!(totals(answer), (Some(1), Some(1)));
    }
    for phone in &phones {
        until_accepted(&world, phone, 1).await;
    }
    until("all are counted", async || {
        (world.metric("push_bouncer_pushes_total", &[]).await == 20.0).then_some(())
    })
    .await;
    until_outcomes(&world, "deduplicated", 18.0).await;
    assert_eq!(world.arrived(), (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_body_that_comes_again_is_known_and_one_encrypted_anew_is_not() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let app = world.app_build().await;
    let phones = [Phone::apple("iphone"), Phone::android("android")];
    for phone in &phones {
        server.register_sealed(REALM, &app, phone, world.seconds()).await;
    }
    let pushes = |text: &str| [phones[0].push(text), phones[1].push(text)];
    for _ in 0..3 {
        let answer = server.notify_encrypted(REALM, &pushes("AA==")).await;
        assert_eq!(answer["apple_successfully_sent_count"], 1);
        assert_eq!(answer["android_successfully_sent_count"], 1);
        assert_eq!(answer["delete_token_ids"], json!([]));
    }
    assert_eq!(each(&world, &phones), [1, 1]);
    until_outcomes(&world, "deduplicated", 4.0).await;
    server.notify_encrypted(REALM, &pushes("AB==")).await;
    assert_eq!(each(&world, &phones), [2, 2]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_given_up_has_the_same_apns_id_when_its_notify_comes_again() {
    let phones = [Phone::apple("one"), Phone::apple("two")];
    let (world, server) = with_phones("push.retry_for = \"0\"", &phones).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let script: Script = Arc::new(move |seen: &Seen| {
        told.lock().unwrap().push((seen.token.clone(), seen.apns_id.clone().unwrap()));
        Act::Refuse("ServiceUnavailable".to_owned())
    });
    world.surroundings.apns.faults().set_script(Some(script));
    // The ids of one notify, in the order of the phones.
    let notify = async |body: &Value| {
        let before = world.metric("push_bouncer_pushes_given_up_total", &[]).await;
        server.notify(body).await;
        until("both are given up", async || {
            let given_up = world.metric("push_bouncer_pushes_given_up_total", &[]).await;
            (given_up == before + 2.0).then_some(())
        })
        .await;
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert!(seen.iter().all(|(_, id)| Uuid::parse_str(id).unwrap().get_version_num() == 4));
        phones.each_ref().map(|phone| {
            let (_, id) = seen.iter().find(|(token, _)| *token == phone.token).unwrap();
            id.clone()
        })
    };
    let body = to(IAGO, message());
    let first = notify(&body).await;
    assert_ne!(first[0], first[1], "nobody learns that both are of one message");
    assert_eq!(notify(&body).await, first);
    assert_eq!(notify(&body).await, first);
    let other = notify(&to(IAGO, message())).await;
    assert!(other.iter().all(|id| !first.contains(id)), "another notification");
    world.clock.advance(10 * MINUTE);
    let later = notify(&body).await;
    assert!(later.iter().all(|id| !first.contains(id)), "a new notification");
    world.shutdown().await;
}
