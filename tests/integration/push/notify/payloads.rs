//! What a phone gets of a notification: headers and bodies.

use serde_json::json;
use uuid::Uuid;

use crate::world::{IAGO, Kind, Phone, World, message, to};

const DAY_SECONDS: i64 = 24 * 60 * 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_the_headers_of_an_alert_and_both_bodies() {
    let (world, server) = World::with_two_phones().await;
    server.notify(&to(IAGO, message())).await;

    assert_eq!(world.arrived(), (1, 1));
    let push = &world.surroundings.apns.requests()[0];
    assert_eq!(push.header("apns-topic"), Some("org.zulip.Zulip"));
    assert_eq!(push.header("apns-push-type"), Some("alert"));
    let expiration: i64 = push.header("apns-expiration").unwrap().parse().unwrap();
    let expected = world.clock.now().unix_seconds() + DAY_SECONDS;
    assert!((expected - 60..=expected).contains(&expiration), "{expiration}");
    let id = push.header("apns-id").unwrap();
    assert_eq!(Uuid::parse_str(id).unwrap().hyphenated().to_string(), id, "lower case");
    let mut names: Vec<_> = push.headers().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["apns-expiration", "apns-id", "apns-push-type", "apns-topic"]);
    let apple = json!({
        "zulip": {"message_ids": [9]},
        "aps": {"alert": {"title": "Cordelia", "body": "Hello"}, "sound": "default", "badge": 0},
    });
    assert_eq!(world.only_push(Kind::Apns).body, apple);
    let android = json!({"message": {
        "token": "android",
        "data": {"event": "message", "zulip_message_id": "9", "content": "Hello"},
        "android": {"priority": "high"},
    }});
    assert_eq!(world.only_push(Kind::Fcm).body, android);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_push_has_an_id_of_its_own() {
    let (world, server) = World::with_two_phones().await;
    server.register_phone(IAGO, &Phone::apple("second iphone")).await;
    server.notify(&to(IAGO, message())).await;
    let requests = world.surroundings.apns.requests();
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].header("apns-id"), requests[1].header("apns-id"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_with_nothing_but_a_badge_is_an_alert_of_low_urgency() {
    let (world, server) = World::with_two_phones().await;
    let removal = json!({
        "gcm_payload": {"event": "remove", "zulip_message_ids": "3,1,2"},
        "apns_payload": {"badge": 0, "custom": {"zulip": {"event": "remove", "zulip_message_ids": "3,1,2"}}},
    });
    server.notify(&to(IAGO, removal)).await;

    let push = &world.surroundings.apns.requests()[0];
    assert_eq!(push.header("apns-push-type"), Some("alert"));
    assert_eq!(push.header("apns-priority"), None);
    let apple = json!({
        "zulip": {"event": "remove", "zulip_message_ids": "1,2,3"}, "aps": {"badge": 0},
    });
    assert_eq!(world.only_push(Kind::Apns).body, apple);
    let android = world.only_push(Kind::Fcm).body;
    assert_eq!(android["message"]["android"]["priority"], "normal");
    assert_eq!(android["message"]["data"]["zulip_message_ids"], "1,2,3");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_priority_follows_the_event_unless_it_is_given() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    for (event, options, expected) in [
        ("message", json!({}), "high"),
        ("message", json!({"priority": null}), "high"),
        ("message", json!({"priority": "normal"}), "normal"),
        ("remove", json!({}), "normal"),
        ("remove", json!({"priority": "high"}), "high"),
    ] {
        let body = json!({"gcm_payload": {"event": event}, "gcm_options": options});
        server.notify(&to(IAGO, body)).await;
        let pushes = world.pushes();
        let priority = &pushes.last().unwrap().body["message"]["android"]["priority"];
        assert_eq!(priority, expected, "{event} {options}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_android_phone_gets_values_as_the_text_of_python() {
    let (world, server) = World::with_two_phones().await;
    let values = json!({
        "event": "message", "text": "a \"b\"", "yes": true, "no": false, "none": null,
        "int": -12, "float": 1.0, "large": 1e16, "list": [1, "it's", null], "dict": {"a": [true]},
    });
    server.notify(&to(IAGO, json!({"gcm_payload": values}))).await;
    let expected = json!({
        "event": "message", "text": "a \"b\"", "yes": "True", "no": "False", "none": "None",
        "int": "-12", "float": "1.0", "large": "1e+16", "list": "[1, \"it's\", None]",
        "dict": "{'a': [True]}",
    });
    assert_eq!(world.only_push(Kind::Fcm).body["message"]["data"], expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_250_read_messages_the_200_newest_are_told() {
    let (world, server) = World::with_two_phones().await;
    let list = |ids: &mut dyn Iterator<Item = u32>| {
        ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
    };
    let ids = list(&mut (1..=250).rev());
    let zulip = json!({"event": "remove", "zulip_message_ids": ids});
    let removal = json!({
        "gcm_payload": zulip, "apns_payload": {"badge": 0, "custom": {"zulip": zulip}},
    });
    server.notify(&to(IAGO, removal)).await;

    let newest = list(&mut (51..=250));
    assert_eq!(world.only_push(Kind::Apns).body["zulip"]["zulip_message_ids"], newest);
    assert_eq!(world.only_push(Kind::Fcm).body["message"]["data"]["zulip_message_ids"], newest);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_payloads_are_counted_and_not_sent() {
    let (world, server) = World::with_two_phones().await;
    for body in [
        json!({}),
        json!({"gcm_payload": {}, "gcm_options": {}, "apns_payload": {}}),
        json!({"gcm_payload": {"event": "message"}, "apns_payload": {}}),
    ] {
        let answer = server.notify(&to(IAGO, body)).await;
        assert_eq!(answer["total_android_devices"], 1);
        assert_eq!(answer["total_apple_devices"], 1);
    }
    assert_eq!(world.arrived(), (0, 1), "only what is not empty goes out");
    world.shutdown().await;
}
