//! What Apple demands of one request, and what devices answer.

use std::time::Duration;

use super::*;
use crate::sandbox::counters::Counters;

#[tokio::test]
async fn a_good_request_is_accepted_with_its_id_and_an_empty_body() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let answer = actors
        .push(DEVICE)
        .header("apns-priority", "5")
        .header("apns-expiration", "0")
        .header("apns-collapse-id", &"c".repeat(64))
        .header("apns-push-type", "background")
        .send(&peer)
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["apns-id"], ID);
    assert!(answer.body.is_empty());

    let [request] = &actors.apns.requests()[..] else { panic!("one request") };
    assert_eq!(request.token(), DEVICE);
    assert_eq!(request.header("apns-topic"), Some(TOPIC));
    assert_eq!(request.header("apns-push-type"), Some("background"));
    assert_eq!(request.headers().count(), 6);
    assert_eq!(request.body, r#"{"aps":{"alert":"hi"}}"#);
    assert_eq!((request.status, &request.reason), (200, &None));

    actors.apns.reset();
    assert!(actors.apns.requests().is_empty());
    assert_eq!(actors.apns.counters(), Counters::default());
}

#[tokio::test]
async fn a_request_without_an_id_gets_one() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let answer = actors.push(DEVICE).without("apns-id").send(&peer).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["apns-id"].len(), 36);
}

#[tokio::test]
async fn each_rule_has_its_reason() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let push = || actors.push(DEVICE);
    let cases = [
        (push().method("GET"), 405, "MethodNotAllowed"),
        (push().path("/3/devices/aa"), 404, "BadPath"),
        (push().path("/"), 404, "BadPath"),
        (push().path("/3/device/aa/bb"), 404, "BadPath"),
        (push().path("/3/device/"), 400, "MissingDeviceToken"),
        (push().path("/3/device"), 400, "MissingDeviceToken"),
        (push().path("/3/device/nothex"), 400, "BadDeviceToken"),
        (push().path("/3/device/abc"), 400, "BadDeviceToken"),
        (push().path(&format!("/3/device/{}", "0".repeat(64))), 400, "BadDeviceToken"),
        (push().without("apns-topic"), 400, "MissingTopic"),
        (push().header("apns-topic", "org.example.other"), 400, "TopicDisallowed"),
        (push().header("apns-topic", "org.example.chatter"), 400, "TopicDisallowed"),
        (push().header("apns-topic", "org.example.chat.voip"), 200, ""),
        (push().header("apns-topic", "bad topic"), 400, "BadTopic"),
        (push().header("apns-priority", "7"), 400, "BadPriority"),
        (push().header("apns-priority", "1"), 200, ""),
        (push().header("apns-priority", "10"), 200, ""),
        (push().header("apns-expiration", "tomorrow"), 400, "BadExpirationDate"),
        (push().header("apns-expiration", "-1"), 400, "BadExpirationDate"),
        (push().header("apns-collapse-id", &"c".repeat(65)), 400, "BadCollapseId"),
        (push().header("apns-push-type", "shout"), 400, "InvalidPushType"),
        (push().header("apns-id", "no-uuid"), 400, "BadMessageId"),
        (push().header("apns-id", &ID.to_uppercase()), 400, "BadMessageId"),
        (push().again("apns-topic", TOPIC), 400, "DuplicateHeaders"),
        (push().body(0), 400, "PayloadEmpty"),
        (push().body(4096), 200, ""),
        (push().body(4097), 413, "PayloadTooLarge"),
        (push().body(5120).header("apns-push-type", "voip"), 200, ""),
        (push().body(5121).header("apns-push-type", "voip"), 413, "PayloadTooLarge"),
        (push().body(200_000), 413, "PayloadTooLarge"),
    ];
    for (number, (push, status, reason)) in cases.into_iter().enumerate() {
        let answer = push.send(&peer).await;
        assert_eq!(answer.reason(), (status, reason.to_owned()), "case {number}");
    }
}

#[tokio::test]
async fn words_in_a_token_are_answered_as_they_say() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    for (word, status, reason) in [
        ("dead", 410, "Unregistered"),
        ("badtok", 400, "BadDeviceToken"),
        ("nottopic", 400, "DeviceTokenNotForTopic"),
        ("toomany", 429, "TooManyRequests"),
        ("oops", 500, "InternalServerError"),
        ("unavail", 503, "ServiceUnavailable"),
        ("reason-NotYetInvented-", 400, "NotYetInvented"),
    ] {
        let answer = actors.push(&hexadecimal(&format!("x{word}y"))).send(&peer).await;
        assert_eq!(answer.reason(), (status, reason.to_owned()));
        assert_eq!(answer.headers["apns-id"], ID);
    }
    for reason in Reason::ALL {
        let device = hexadecimal(&format!("reason-{}-", reason.name()));
        let answer = actors.push(&device).send(&peer).await;
        assert_eq!(answer.reason(), (reason.status(), reason.name().to_owned()));
    }
    assert_eq!(actors.apns.counters().refused["Unregistered"], 2);
    assert_eq!(actors.apns.counters().requests(), actors.apns.requests().len() as u64);
}

#[tokio::test]
async fn a_dead_device_has_the_time_of_the_request() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let before = actors.clock.now().unix_millis();
    let answer = actors.push(&hexadecimal("dead")).send(&peer).await;
    let timestamp = answer.json()["timestamp"].as_i64().unwrap();
    assert!((before..=actors.clock.now().unix_millis()).contains(&timestamp));
}

#[tokio::test]
async fn slow_devices_and_latency_delay_the_answer() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let started = tokio::time::Instant::now();
    let answer = actors.push(&hexadecimal("slow")).send(&peer).await;
    assert_eq!(answer.status, 200);
    assert!(started.elapsed() >= Duration::from_secs(2));

    actors.apns.set_latency(Duration::from_millis(30));
    let started = tokio::time::Instant::now();
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(30));
}
