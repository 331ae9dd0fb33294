//! V51, V62 to V64, V70 to V72 and V75 to V79: what `push/notify` answers, and which phones it means.

use bytes::Bytes;
use entities::{devices, remote_realms};
use http::Request;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;

use super::{
    MISMATCH, R1, R2, UNKNOWN_REALM, bad_request, notified, one_server, refusal, said, two_servers,
};
use crate::world::{IAGO, Kind, Phone, TOPICS, World, message, to};

const NOTIFY: &str = "push/notify";

#[tokio::test(flavor = "multi_thread")]
async fn v051_a_user_without_phones_is_no_error() {
    let (world, server) = one_server("").await;
    let body = json!({"user_id": 42, "gcm_payload": {}, "apns_payload": {}});
    assert_eq!(server.notify(&body).await, notified(0, 0, &[], &[]));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v062_a_token_under_both_identities_gets_one_push_and_loses_the_number() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("android");
    server.register_phone(IAGO.by_uuid(), &phone).await;
    server.register_phone(IAGO.by_id(), &phone).await;

    assert_eq!(server.notify(&to(IAGO, message())).await, notified(1, 0, &[], &[]));

    assert_eq!(world.arrived(), (0, 1));
    assert_eq!(server.phones_of(IAGO.by_id()).await, (0, 0));
    assert_eq!(server.phones_of(IAGO.by_uuid()).await, (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v063_phones_under_either_identity_are_all_meant() {
    let (world, server) = one_server("").await;
    server.register_phone(IAGO.by_id(), &Phone::android("a")).await;
    server.register_phone(IAGO.by_uuid(), &Phone::android("b")).await;
    assert_eq!(server.notify(&to(IAGO, message())).await, notified(2, 0, &[], &[]));
    assert_eq!(world.arrived(), (0, 2));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v064_a_listed_token_that_is_not_stored_is_reported() {
    let (world, server) = one_server("").await;
    server.register_phone(IAGO, &Phone::android("a")).await;
    let mut body = to(IAGO, message());
    body["android_devices"] = json!(["a", "gone"]);
    assert_eq!(server.notify(&body).await, notified(1, 0, &["gone"], &[]));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v070_an_apple_phone_without_an_app_is_counted_and_skipped() {
    let (world, server) = one_server("").await;
    let (without, with) = (Phone::apple("without"), Phone::apple("with"));
    for phone in [&without, &with] {
        server.register_phone(IAGO, phone).await;
    }
    // None is registered like that any more; some were before the app was asked for.
    devices::Entity::update_many()
        .set(devices::ActiveModel { ios_app_id: Set(None), ..Default::default() })
        .filter(devices::Column::Token.eq(without.token.as_str()))
        .exec(&world.database().await)
        .await
        .unwrap();

    assert_eq!(server.notify(&to(IAGO, message())).await, notified(0, 2, &[], &[]));

    assert_eq!(world.only_push(Kind::Apns).token, with.token);
    assert_eq!(server.phones_of(IAGO).await, (0, 2));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v071_for_the_realm_of_another_server_nothing_is_sent() {
    let (world, server, neighbour) = two_servers("").await;
    neighbour.upload_realm(R2).await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    let mut body = to(IAGO, message());
    body["realm_uuid"] = R2.into();
    let answer = said(&server.json(NOTIFY, &body).await);
    assert_eq!(answer, refusal(403, "REMOTE_REALM_SERVER_MISMATCH_ERROR", MISMATCH));
    assert_eq!(world.arrived(), (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v072_for_an_unknown_realm_all_is_sent_and_nothing_said_of_the_realm() {
    let (world, server) = World::with_two_phones().await;
    let mut body = to(IAGO, message());
    body["realm_uuid"] = UNKNOWN_REALM.into();
    assert_eq!(server.notify(&body).await, notified(1, 1, &[], &[]));
    assert_eq!(world.arrived(), (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v075_phones_without_a_realm_are_linked_to_the_one_of_the_notify() {
    let (world, server) = World::with_two_phones().await;
    server.upload_realm(R1).await;
    let realms = remote_realms::Entity::find().all(&world.database().await).await.unwrap();
    assert!(world.devices().await.iter().all(|device| device.remote_realm_id.is_none()));
    let mut body = to(IAGO, message());
    body["realm_uuid"] = R1.into();

    let mut expected = notified(1, 1, &[], &[]);
    expected["realm"] = json!({"can_push": true, "expected_end_timestamp": null});
    assert_eq!(server.notify(&body).await, expected);

    let linked: Vec<_> =
        world.devices().await.into_iter().map(|device| device.remote_realm_id).collect();
    assert_eq!(linked, [Some(realms[0].id); 2]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v076_unknown_members_are_ignored() {
    let (world, server) = World::with_two_phones().await;
    let mut body = to(IAGO, message());
    body["from_the_future"] = json!({"a": [1]});
    assert_eq!(server.notify(&body).await, notified(1, 1, &[], &[]));
    assert_eq!(world.arrived(), (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v077_half_a_document_is_malformed() {
    let (world, server) = one_server("").await;
    let request = Request::post(format!("/api/v1/remotes/{NOTIFY}"))
        .header("Authorization", server.authorization())
        .header("Content-Type", "application/json")
        .body(Bytes::from("{"))
        .unwrap();
    let answer = world.client().send(request).await.unwrap();
    assert_eq!((answer.status, answer.json()), bad_request("Malformed JSON"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v078_a_text_is_no_list_of_phones() {
    let (world, server) = World::with_two_phones().await;
    let mut body = to(IAGO, message());
    body["android_devices"] = "x".into();
    let answer = said(&server.json(NOTIFY, &body).await);
    assert_eq!(answer, bad_request("request[\"android_devices\"] is not a list"));
    assert_eq!(world.arrived(), (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v079_of_two_spellings_of_an_apple_token_the_second_is_reported() {
    let (world, server) = one_server("").await;
    let phone = Phone { kind: Kind::Apns, token: "ab".to_owned(), app_id: TOPICS[0] };
    server.register_phone(IAGO, &phone).await;
    let mut body = to(IAGO, message());
    body["apple_devices"] = json!(["AB", "ab"]);
    assert_eq!(server.notify(&body).await, notified(0, 1, &[], &["ab"]));
    world.shutdown().await;
}
