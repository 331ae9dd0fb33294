//! V81 to V85: `push/test_notification`.

use serde_json::{Value, json};

use super::{bad_request, one_server, refusal, said, success};
use crate::world::{ChatServer, IAGO, Kind, Phone, World, to};

#[tokio::test(flavor = "multi_thread")]
async fn v081_an_android_phone_gets_a_test_with_its_time() {
    let (world, server) = World::with_two_phones().await;
    assert_eq!(to_android(&server).await, success());
    assert_eq!(world.arrived(), (0, 1));
    let mut push = world.only_push(Kind::Fcm).body;
    let time = push["message"]["data"]["time"].take();
    let time: i64 = time.as_str().expect("a text").parse().expect("a decimal number");
    assert!((0..60).contains(&(world.clock.now().unix_seconds() - time)), "{time}");
    let expected = json!({"message": {
        "token": "android",
        "data": {
            "event": "test", "time": null, "server": "s1.selfhosted.test", "realm_id": "2",
            "user_id": "7", "realm_name": "Ex", "realm_uri": "https://old", "realm_url": "https://x",
        },
        "android": {"priority": "high"},
    }});
    assert_eq!(push, expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v082_an_apple_phone_gets_an_alert_with_name_and_address_of_the_realm() {
    let (world, server) = World::with_two_phones().await;
    assert_eq!(test(&server, &body(&Phone::apple("iphone"), &base_payload())).await, success());
    assert_eq!(world.arrived(), (1, 0));
    let mut zulip = base_payload();
    zulip["event"] = "test".into();
    let text = "This is a test notification from Ex (https://x).";
    let alert = json!({"title": "Test notification", "body": text});
    let expected = json!({"zulip": zulip, "aps": {"alert": alert, "sound": "default"}});
    assert_eq!(world.only_push(Kind::Apns).body, expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v083_an_older_server_names_the_realms_address_by_its_old_name() {
    let (world, server) = World::with_two_phones().await;
    let mut old = base_payload();
    old.as_object_mut().unwrap().remove("realm_url");
    assert_eq!(test(&server, &body(&Phone::apple("iphone"), &old)).await, success());
    let text = "This is a test notification from Ex (https://old).";
    assert_eq!(world.only_push(Kind::Apns).body["aps"]["alert"]["body"], text);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v084_an_unknown_phone_is_said_to_be_unknown() {
    let (world, server) = one_server("").await;
    let answer = test(&server, &body(&Phone::android("unknown"), &base_payload())).await;
    let message = "Device not recognized by the push bouncer";
    assert_eq!(answer, refusal(400, "INVALID_REMOTE_PUSH_DEVICE_TOKEN", message));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v085_an_unknown_member_is_refused() {
    let (world, server) = World::with_two_phones().await;
    let mut body = body(&Phone::android("android"), &base_payload());
    body["foo"] = 1.into();
    let message = "Argument \"foo\" at request[\"foo\"] is unexpected";
    assert_eq!(test(&server, &body).await, bad_request(message));
    assert_eq!(world.arrived(), (0, 0));
    world.shutdown().await;
}

/// Asks for a test of Iago's phone `android`.
pub(super) async fn to_android(server: &ChatServer) -> (u16, Value) {
    test(server, &body(&Phone::android("android"), &base_payload())).await
}

/// What chat servers since 10.0 send along.
fn base_payload() -> Value {
    json!({
        "server": "s1.selfhosted.test", "realm_id": 2, "user_id": 7, "realm_name": "Ex",
        "realm_uri": "https://old", "realm_url": "https://x",
    })
}

/// Asks for a test of a phone of Iago's.
fn body(phone: &Phone, base_payload: &Value) -> Value {
    let mut body = to(IAGO, json!({"base_payload": base_payload}));
    body["token"] = phone.token.clone().into();
    body["token_kind"] = phone.token_kind().into();
    body
}

async fn test(server: &ChatServer, body: &Value) -> (u16, Value) {
    said(&server.json("push/test_notification", body).await)
}
