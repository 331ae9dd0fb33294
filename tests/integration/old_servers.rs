//! Servers of long ago: what they say less, what they say otherwise, and that they get their pushes.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::world::{ChatServer, IAGO, Kind, Phone, World, message, to};

/// A server with an iPhone and an Android phone of Iago, registered under his number only.
async fn with_phones() -> (World, ChatServer) {
    let world = World::start("").await;
    let server = world.chat_server("old.selfhosted.test").await;
    for phone in [Phone::apple("iphone"), Phone::android("android")] {
        server.register_phone(IAGO.by_id(), &phone).await;
    }
    (world, server)
}

/// Sends the payloads as servers before 5.0 do, with the user's number and nothing else; gives what
/// reached the iPhone and the Android phone.
async fn send(world: &World, server: &ChatServer, payloads: Value) -> (Value, Value) {
    let answer = server.notify(&to(IAGO.by_id(), payloads)).await;
    assert_eq!(answer["total_android_devices"], 1);
    assert_eq!(answer["total_apple_devices"], 1);
    assert_eq!(answer["realm"], Value::Null, "it names no realm");
    let nothing = json!({"android_devices": [], "apple_devices": []});
    assert_eq!(answer["deleted_devices"], nothing, "it lists no devices");
    let pushes = world.pushes();
    let body = |kind| pushes.iter().find(|push| push.kind == kind).map(|push| push.body.clone());
    (body(Kind::Apns).unwrap(), body(Kind::Fcm).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_1_6_reaches_both_phones() {
    let (world, server) = with_phones().await;
    let (iphone, android) = send(
        &world,
        &server,
        json!({
            "apns_payload": {"alert": "New private message from Cordelia", "message_ids": [7]},
            "gcm_payload": {
                "event": "message", "alert": "New private message from Cordelia",
                "zulip_message_id": 7, "time": 1_500_000_000, "content": "Hello",
                "content_truncated": false, "sender_email": "cordelia@old.test",
                "sender_full_name": "Cordelia", "user": "iago@old.test",
            },
        }),
    )
    .await;
    let expected = json!({
        "aps": {"alert": "New private message from Cordelia", "badge": 0},
        "zulip": {"message_ids": [7]},
    });
    assert_eq!(iphone, expected);
    assert_eq!(android["message"]["android"]["priority"], "high", "the event decides");
    assert_eq!(android["message"]["data"]["zulip_message_id"], "7");
    assert_eq!(android["message"]["data"]["content_truncated"], "False");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_1_7_reaches_both_phones() {
    let (world, server) = with_phones().await;
    let (iphone, android) = send(
        &world,
        &server,
        json!({
            "apns_payload": {
                "alert": {"title": "Cordelia", "body": "Hello"}, "badge": 1,
                "custom": {"zulip": {"message_ids": [7]}},
            },
            "gcm_payload": {"event": "remove", "zulip_message_id": 7},
        }),
    )
    .await;
    let expected = json!({
        "aps": {"alert": {"title": "Cordelia", "body": "Hello"}, "badge": 1},
        "zulip": {"message_ids": [7]},
    });
    assert_eq!(iphone, expected);
    let message = &android["message"];
    assert_eq!(message["android"]["priority"], "normal", "the event decides");
    assert_eq!(message["data"], json!({"event": "remove", "zulip_message_id": "7"}));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_of_2_1_is_for_android_phones_only() {
    let (world, server) = with_phones().await;
    let removal = json!({
        "apns_payload": {},
        "gcm_payload": {"event": "remove", "zulip_message_ids": "9,7", "zulip_message_id": 9},
        "gcm_options": {"priority": "normal"},
    });
    let answer = server.notify(&to(IAGO.by_id(), removal)).await;
    assert_eq!(
        (&answer["total_android_devices"], &answer["total_apple_devices"]),
        (&json!(1), &json!(1))
    );
    let removed = world.only_push(Kind::Fcm).body["message"]["data"].clone();
    let expected = json!({"event": "remove", "zulip_message_ids": "7,9", "zulip_message_id": "9"});
    assert_eq!(removed, expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_1_8_lives_on_a_registration_in_the_query() {
    let world = World::start("").await;
    let server = world.new_chat_server("old.selfhosted.test");
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("zulip_org_id", &server.org_id)
        .append_pair("zulip_org_key", &server.org_key)
        .append_pair("hostname", &server.hostname)
        .append_pair("contact_email", "admin@selfhosted.test")
        .finish();
    let request = Request::post(format!("/api/v1/remotes/server/register?{query}"));
    let answer = world.client().send(request.body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!((answer.status, &answer.json()["created"]), (200, &json!(true)));

    server.register_phone(IAGO.by_id(), &Phone::android("android")).await;
    server.notify(&to(IAGO.by_id(), message())).await;
    world.only_push(Kind::Fcm);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_grows_older_than_8_keeps_its_phones() {
    let (world, server) = with_phones().await;
    // From 5.0 on it names users by UUID too, and from 8.0 on their realm.
    let realm = "0f3c9a1e-7d2b-4c58-9a4b-1f0f7b8c2d11";
    server.upload_realm(realm).await;
    let mut body = to(IAGO, message());
    body["realm_uuid"] = realm.into();
    let answer = server.notify(&body).await;
    assert_eq!(answer["realm"], json!({"can_push": true, "expected_end_timestamp": null}));
    assert_eq!(world.arrived(), (1, 1));
    server.register_phone(IAGO, &Phone::android("android")).await;
    assert_eq!(server.phones_of(IAGO).await, (1, 1), "the phone is not there twice");
    world.shutdown().await;
}
