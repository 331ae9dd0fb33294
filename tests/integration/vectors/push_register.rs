//! V20 to V22, V33, V34, V36 to V38 and V40 to V42: what `push/register` stores.

use bytes::Bytes;
use entities::remote_realms;
use http::Request;
use sea_orm::EntityTrait as _;
use serde_json::json;

use super::{
    MISMATCH, R1, R2, UNKNOWN_REALM, form_success, notified, one_server, refusal, success,
    two_servers,
};
use crate::world::{IAGO, Kind, Phone, Stage, TOPICS, User, message, to, until};

const REGISTER: &str = "push/register";

#[tokio::test(flavor = "multi_thread")]
async fn v020_a_phone_is_stored_under_the_number_and_server_uuid_is_ignored() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    assert_eq!(server.about_phone(REGISTER, IAGO.by_id(), &phone, &[]).await, form_success());
    assert_eq!(server.phones_of(IAGO.by_id()).await, (1, 0));
    assert_eq!(server.phones_of(IAGO.by_uuid()).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v021_registering_again_succeeds_and_stores_nothing_new() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    for _ in 0..2 {
        assert_eq!(server.about_phone(REGISTER, IAGO.by_id(), &phone, &[]).await, form_success());
    }
    assert_eq!(server.phones_of(IAGO.by_id()).await, (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v022_a_uuid_replaces_the_number() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    server.register_phone(IAGO.by_id(), &phone).await;
    assert_eq!(server.about_phone(REGISTER, IAGO, &phone, &[]).await, form_success());
    assert_eq!(server.phones_of(IAGO.by_id()).await, (0, 0));
    assert_eq!(server.phones_of(IAGO.by_uuid()).await, (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v033_an_apple_phone_is_stored_with_its_app() {
    let (world, server) = one_server("").await;
    let phone = Phone::apple("iphone");
    let app = [("ios_app_id", "com.zulip.apple")];
    assert_eq!(server.about_phone(REGISTER, IAGO, &phone, &app).await, form_success());
    assert_eq!(server.phones_of(IAGO).await, (0, 1));
    assert_eq!(world.devices().await[0].ios_app_id.as_deref(), Some("com.zulip.apple"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v034_an_android_phone_needs_no_app() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    assert_eq!(server.about_phone(REGISTER, IAGO, &phone, &[]).await, form_success());
    assert_eq!(server.phones_of(IAGO).await, (1, 0));
    assert_eq!(world.devices().await[0].ios_app_id, None);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v036_an_unknown_realm_is_no_obstacle() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    let realm = [("realm_uuid", UNKNOWN_REALM)];
    let answer = server.about_phone(REGISTER, IAGO.by_uuid(), &phone, &realm).await;
    assert_eq!(answer, form_success());
    assert_eq!(server.phones_of(IAGO).await, (1, 0));
    assert_eq!(world.devices().await[0].remote_realm_id, None);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v037_a_phone_is_linked_to_its_realm_and_the_realm_was_heard_of() {
    let (world, server) = one_server("").await;
    server.upload_realm(R1).await;
    let realm = only_realm(&world).await;
    let now = world.clock.now().unix_millis();

    let phone = Phone::android("111222");
    let answer = server.about_phone(REGISTER, IAGO, &phone, &[("realm_uuid", R1)]).await;

    assert_eq!(answer, form_success());
    assert_eq!(world.devices().await[0].remote_realm_id, Some(realm.id));
    until("the request is noted", async || {
        only_realm(&world).await.last_request_at.filter(|&at| at >= now)
    })
    .await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v038_the_realm_of_another_server_is_refused() {
    let (world, server, neighbour) = two_servers("").await;
    neighbour.upload_realm(R2).await;
    let phone = Phone::android("111222");
    let answer = server.about_phone(REGISTER, IAGO, &phone, &[("realm_uuid", R2)]).await;
    assert_eq!(answer, refusal(403, "REMOTE_REALM_SERVER_MISMATCH_ERROR", MISMATCH));
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v040_an_apple_token_in_another_case_is_the_same_phone_with_a_newer_app() {
    let (world, server) = one_server("").await;
    for (token, app_id) in [("ABCD", TOPICS[0]), ("abcd", TOPICS[1])] {
        let phone = Phone { kind: Kind::Apns, token: token.to_owned(), app_id };
        let app = [("ios_app_id", app_id)];
        assert_eq!(server.about_phone(REGISTER, IAGO, &phone, &app).await, form_success());
    }
    let mut body = to(IAGO, message());
    body["apple_devices"] = json!(["ABCD"]);
    // The first spelling is as good as the second.
    assert_eq!(server.notify(&body).await, notified(0, 1, &[], &[]));
    let pushes = world.pushes();
    assert_eq!(pushes.len(), 1);
    assert_eq!((&*pushes[0].token, pushes[0].topic.as_deref()), ("abcd", Some(TOPICS[1])));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v041_one_token_of_two_users_and_of_two_servers_is_three_phones() {
    let (world, server, neighbour) = two_servers("").await;
    let phone = Phone::android("111222");
    for (server, user) in [(&server, IAGO), (&server, User::other()), (&neighbour, IAGO)] {
        assert_eq!(server.about_phone(REGISTER, user, &phone, &[]).await, form_success());
    }
    assert_eq!(server.phones_of(IAGO).await, (1, 0));
    assert_eq!(server.phones_of(User::other()).await, (1, 0));
    assert_eq!(neighbour.phones_of(IAGO).await, (1, 0));
    assert_eq!(world.devices().await.len(), 3);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v042_parameters_may_stand_in_the_query() {
    let (world, server) = one_server("").await;
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([IAGO.fields(), Phone::android("111222").fields()].concat())
        .finish();
    let request = Request::post(format!("/api/v1/remotes/push/register?{query}"))
        .header("Authorization", server.authorization())
        .body(Bytes::new())
        .unwrap();
    let answer = world.client().send(request).await.unwrap();
    assert_eq!((answer.status, answer.json()), success());
    assert_eq!(server.phones_of(IAGO).await, (1, 0));
    world.shutdown().await;
}

/// The only realm that is known.
async fn only_realm(stage: &Stage) -> remote_realms::Model {
    let mut realms = remote_realms::Entity::find().all(&stage.database().await).await.unwrap();
    assert_eq!(realms.len(), 1);
    realms.remove(0)
}
