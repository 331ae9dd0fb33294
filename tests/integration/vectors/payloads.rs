//! V52 to V61: what phones get of a notification.

use serde_json::{Value, json};

use super::{R1, bad_request, notified, one_server, said};
use crate::world::{ChatServer, IAGO, Kind, Phone, World, message, to};

const DAY_SECONDS: i64 = 24 * 60 * 60;

#[tokio::test(flavor = "multi_thread")]
async fn v052_a_message_reaches_both_kinds_of_phone_in_their_services_form() {
    let (world, server) = World::with_two_phones().await;
    server.upload_realm(R1).await;
    let mut body = to(IAGO, message());
    body["realm_uuid"] = R1.into();

    let mut expected = notified(1, 1, &[], &[]);
    expected["realm"] = json!({"can_push": true, "expected_end_timestamp": null});
    assert_eq!(server.notify(&body).await, expected);

    let android = json!({"message": {
        "token": "android",
        "data": {"event": "message", "zulip_message_id": "9", "content": "Hello"},
        "android": {"priority": "high"},
    }});
    assert_eq!(world.only_push(Kind::Fcm).body, android);
    let apple = json!({
        "zulip": {"message_ids": [9]},
        "aps": {"alert": {"title": "Cordelia", "body": "Hello"}, "sound": "default", "badge": 0},
    });
    assert_eq!(world.only_push(Kind::Apns).body, apple);
    let push = &world.surroundings.apns.requests()[0];
    assert_eq!((push.path(), push.status), (&*format!("/3/device/{}", push.token()), 200));
    assert_eq!(push.header("apns-topic"), Some("org.zulip.Zulip"));
    let expiration: i64 = push.header("apns-expiration").unwrap().parse().unwrap();
    let left = expiration - world.clock.now().unix_seconds();
    assert!((DAY_SECONDS - 60..=DAY_SECONDS).contains(&left), "{left}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v053_an_android_phone_gets_texts_as_python_writes_them() {
    let (world, server) = with_android().await;
    let payload = json!({"yes": true, "number": 7, "nothing": null, "list": [1, 2]});
    let answer = server.notify(&to(IAGO, json!({"gcm_payload": payload}))).await;
    assert_eq!(answer, notified(1, 0, &[], &[]));
    let expected = json!({"yes": "True", "number": "7", "nothing": "None", "list": "[1, 2]"});
    assert_eq!(world.only_push(Kind::Fcm).body["message"]["data"], expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v054_an_unknown_priority_is_refused() {
    let (world, server) = World::with_two_phones().await;
    let answer =
        said(&server.json("push/notify", &with_options(json!({"priority": "invalid"}))).await);
    let message = "Invalid GCM option to bouncer: priority 'invalid'";
    assert_eq!((answer, world.arrived()), (bad_request(message), (0, 0)));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v055_an_unknown_option_is_refused() {
    let (world, server) = World::with_two_phones().await;
    let answer = said(&server.json("push/notify", &with_options(json!({"invalid": true}))).await);
    let message = "Invalid GCM options to bouncer: {\"invalid\":true}";
    assert_eq!((answer, world.arrived()), (bad_request(message), (0, 0)));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v056_without_an_android_phone_nobody_minds_the_priority() {
    let (world, server) = one_server("").await;
    server.register_phone(IAGO, &Phone::apple("iphone")).await;
    let answer = server.notify(&with_options(json!({"priority": "invalid"}))).await;
    assert_eq!((answer, world.arrived()), (notified(0, 1, &[], &[]), (1, 0)));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v057_a_message_without_options_is_urgent() {
    assert_eq!(priority_of("message").await, "high");
}

#[tokio::test(flavor = "multi_thread")]
async fn v058_a_removal_without_options_is_not_urgent() {
    assert_eq!(priority_of("remove").await, "normal");
}

#[tokio::test(flavor = "multi_thread")]
async fn v059_of_250_ids_to_remove_the_200_largest_are_sent_in_order() {
    // All of 1 to 250, in no order.
    let ids = list((0..250).map(|index| index * 7 % 250 + 1));
    let (android, apple) = ids_of_removal(&ids).await;
    let largest = list(51..=250);
    assert_eq!((android, apple), (json!(largest), json!(largest)));
}

#[tokio::test(flavor = "multi_thread")]
async fn v060_a_few_ids_to_remove_are_sorted() {
    assert_eq!(ids_of_removal("5,3,4").await, (json!("3,4,5"), json!("3,4,5")));
}

#[tokio::test(flavor = "multi_thread")]
async fn v061_the_form_of_1_6_becomes_todays() {
    let (world, server) = one_server("").await;
    server.register_phone(IAGO, &Phone::apple("iphone")).await;
    let body = json!({"apns_payload": {"alert": "x", "message_ids": [9]}});
    assert_eq!(server.notify(&to(IAGO, body)).await, notified(0, 1, &[], &[]));
    let expected = json!({"zulip": {"message_ids": [9]}, "aps": {"alert": "x", "badge": 0}});
    assert_eq!(world.only_push(Kind::Apns).body, expected);
    world.shutdown().await;
}

async fn with_android() -> (World, ChatServer) {
    let (world, server) = one_server("").await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    (world, server)
}

/// A message to Iago with these `gcm_options`.
fn with_options(options: Value) -> Value {
    let mut body = to(IAGO, message());
    body["gcm_options"] = options;
    body
}

/// The priority of a push for this event whose notification has no options.
async fn priority_of(event: &str) -> Value {
    let (world, server) = with_android().await;
    let body = to(IAGO, json!({"gcm_payload": {"event": event}}));
    assert_eq!(server.notify(&body).await, notified(1, 0, &[], &[]));
    let priority = world.only_push(Kind::Fcm).body["message"]["android"]["priority"].take();
    world.shutdown().await;
    priority
}

/// The ids that an Android and an Apple phone get when these are to be removed.
async fn ids_of_removal(ids: &str) -> (Value, Value) {
    let (world, server) = World::with_two_phones().await;
    let removal = json!({"event": "remove", "zulip_message_ids": ids});
    let body = json!({
        "gcm_payload": removal, "apns_payload": {"badge": 0, "custom": {"zulip": removal}},
    });
    assert_eq!(server.notify(&to(IAGO, body)).await, notified(1, 1, &[], &[]));
    let mut android = world.only_push(Kind::Fcm).body;
    let mut apple = world.only_push(Kind::Apns).body;
    world.shutdown().await;
    (
        android["message"]["data"]["zulip_message_ids"].take(),
        apple["zulip"]["zulip_message_ids"].take(),
    )
}

fn list(ids: impl Iterator<Item = u32>) -> String {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}
