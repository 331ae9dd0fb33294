//! `POST push/test_notification`: one phone, and whether a notification reaches it.

use serde_json::{Value, json};

use crate::world::{ChatServer, IAGO, Kind, Phone, World, to};

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_phone_gets_its_own_test() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    for phone in [&iphone, &android] {
        server.register_phone(IAGO, phone).await;
    }

    assert_eq!(test(&server, &iphone, json!({})).await.0, 200);
    assert_eq!(world.arrived(), (1, 0), "only the phone that was named gets it");
    let push = &world.pushes()[0];
    assert_eq!((push.kind, &push.token), (Kind::Apns, &iphone.token));
    assert_eq!(push.body["aps"]["alert"]["title"], "Test notification");
    let text = "This is a test notification from Lear (https://chat.selfhosted.test).";
    assert_eq!(push.body["aps"]["alert"]["body"], text);
    assert_eq!(push.body["aps"]["sound"], "default");
    assert_eq!(push.body["zulip"]["event"], "test");
    assert!(push.body["aps"]["badge"].is_null());

    assert_eq!(test(&server, &android, json!({})).await.0, 200);
    assert_eq!(world.arrived(), (1, 1));
    let push = &world.pushes()[1];
    assert_eq!((push.kind, &push.token), (Kind::Fcm, &android.token));
    let message = &push.body["message"];
    assert_eq!(message["android"]["priority"], "high");
    assert_eq!(message["data"]["event"], "test");
    assert_eq!(message["data"]["realm_id"], "2", "numbers are text");
    let time: i64 = message["data"]["time"].as_str().unwrap().parse().unwrap();
    assert!((world.clock.now().unix_seconds() - time).abs() <= 60);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apple_phone_is_found_in_any_case_and_under_the_number() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("iphone");
    server.register_phone(IAGO.by_id(), &phone).await;
    let upper = Phone { token: phone.token.to_uppercase(), ..phone };
    assert_eq!(test(&server, &upper, json!({})).await.0, 200);
    assert_eq!(world.arrived(), (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_phone_is_said_to_be_unknown() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let phone = Phone::android("android");
    neighbour.register_phone(IAGO, &phone).await;
    let (status, answer) = test(&server, &phone, json!({})).await;
    assert_eq!((status, &answer["code"]), (400, &json!("INVALID_REMOTE_PUSH_DEVICE_TOKEN")));
    assert_eq!(world.arrived(), (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_realm_of_another_server_is_refused() {
    let world = World::start("").await;
    let owner = world.chat_server("owner.selfhosted.test").await;
    owner.upload_realm(REALM).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::android("android");
    server.register_phone(IAGO, &phone).await;
    let (status, answer) = test(&server, &phone, json!({"realm_uuid": REALM})).await;
    assert_eq!((status, &answer["code"]), (403, &json!("REMOTE_REALM_SERVER_MISMATCH_ERROR")));
    assert_eq!(world.arrived(), (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_phone_is_forgotten_and_the_answer_is_success() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in [Phone::apple("dead"), Phone::android("dead")] {
        server.register_phone(IAGO, &phone).await;
        let (status, answer) = test(&server, &phone, json!({})).await;
        assert_eq!((status, answer["result"].as_str()), (200, Some("success")));
        assert_eq!(test(&server, &phone, json!({})).await.0, 400, "it is unknown now");
    }
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    assert_eq!(world.arrived(), (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_fails_for_now_is_kept_and_the_answer_is_success() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in [Phone::apple("unavail"), Phone::android("toomany")] {
        server.register_phone(IAGO, &phone).await;
        assert_eq!(test(&server, &phone, json!({})).await.0, 200);
    }
    assert_eq!(server.phones_of(IAGO).await, (1, 1));
    world.shutdown().await;
}

/// Asks for a test of a phone of Iago's; gives the status and the answer.
async fn test(server: &ChatServer, phone: &Phone, more: Value) -> (u16, Value) {
    let mut body = to(IAGO, more);
    body["token"] = phone.token.clone().into();
    body["token_kind"] = phone.token_kind().into();
    body["base_payload"] = json!({
        "server": "chat.selfhosted.test", "realm_id": 2, "user_id": 7, "realm_name": "Lear",
        "realm_uri": "https://chat.selfhosted.test", "realm_url": "https://chat.selfhosted.test",
    });
    let reply = server.json("push/test_notification", &body).await;
    (reply.status.as_u16(), reply.json)
}
