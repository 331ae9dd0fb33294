//! `POST push/notify`: a notification to all phones of a user, and what the answer says.

use entities::{devices, push_counts, remote_realms};
use sea_orm::EntityTrait as _;
use serde_json::json;

use crate::world::{IAGO, Phone, World, message, to, until};

mod outcomes;
mod patience;
mod payloads;

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

#[tokio::test(flavor = "multi_thread")]
async fn every_phone_gets_one_push_and_the_totals_count_phones() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phones = [
        Phone::apple("first"),
        Phone::apple("second"),
        Phone::apple("oops"),
        Phone::android("first"),
        Phone::android("unavail"),
    ];
    for phone in &phones {
        server.register_phone(IAGO, phone).await;
    }

    let answer = server.notify(&to(IAGO, message())).await;

    let expected = json!({
        "result": "success", "msg": "", "realm": null,
        "total_android_devices": 2, "total_apple_devices": 3,
        "deleted_devices": {"android_devices": [], "apple_devices": []},
    });
    assert_eq!(answer, expected, "a push that fails counts too");
    let mut tokens: Vec<_> = world.pushes().into_iter().map(|push| push.token).collect();
    let mut expected = phones.map(|phone| phone.token);
    tokens.sort_unstable();
    expected.sort_unstable();
    assert_eq!(tokens, expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_under_both_identities_gets_one_push_and_keeps_one_row() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::android("android");
    server.register_phone(IAGO.by_uuid(), &phone).await;
    server.register_phone(IAGO.by_id(), &phone).await;

    let answer = server.notify(&to(IAGO, message())).await;

    assert_eq!(answer["total_android_devices"], 1);
    assert_eq!(world.arrived(), (0, 1));
    let left = devices::Entity::find().all(&world.database().await).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].user_uuid.is_some());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_learn_their_realm_from_the_first_notify_that_knows_it() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in [Phone::apple("iphone"), Phone::android("android")] {
        server.register_phone(IAGO, &phone).await;
    }
    server.upload_realm(REALM).await;
    let database = world.database().await;
    let realm = remote_realms::Entity::find().one(&database).await.unwrap().unwrap();

    let mut body = to(IAGO, message());
    body["realm_uuid"] = REALM.into();
    let answer = server.notify(&body).await;

    assert_eq!(answer["realm"], json!({"can_push": true, "expected_end_timestamp": null}));
    let stored = devices::Entity::find().all(&database).await.unwrap();
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|device| device.remote_realm_id == Some(realm.id)));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_counted_for_the_day_by_server_and_by_realm() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    for phone in [Phone::apple("iphone"), Phone::android("android"), Phone::android("dead")] {
        server.register_phone(IAGO, &phone).await;
    }
    let mut body = to(IAGO, message());
    body["realm_uuid"] = REALM.into();
    server.notify(&body).await;
    server.notify(&to(IAGO, message())).await;

    let database = world.database().await;
    let counts = until("5 pushes are written down", async || {
        let counts = push_counts::Entity::find().all(&database).await.unwrap();
        let total = |whole: bool| {
            counts
                .iter()
                .filter(|row| (row.remote_realm_id == 0) == whole)
                .fold((0, 0), |(received, forwarded), row| {
                    (received + row.received, forwarded + row.forwarded)
                })
        };
        (total(true).0 == 5 && total(true).1 >= 4).then(|| (total(true), total(false)))
    })
    .await;
    assert_eq!(counts, ((5, 4), (3, 2)), "asked for and accepted, whole server and realm");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_tokens_that_are_not_held_are_told_in_the_servers_spelling() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (held, dead) = (Phone::apple("iphone"), Phone::apple("dead"));
    for phone in [&held, &dead, &Phone::android("held"), &Phone::android("dead")] {
        server.register_phone(IAGO, phone).await;
    }
    let mut body = to(IAGO, message());
    body["android_devices"] = json!(["unheard-of", "held", "dead"]);
    body["apple_devices"] = json!([held.token.to_uppercase(), "ABCD", dead.token.to_uppercase()]);

    let answer = server.notify(&body).await;

    let deleted = &answer["deleted_devices"];
    assert_eq!(deleted["android_devices"], json!(["dead", "unheard-of"]));
    assert_eq!(deleted["apple_devices"], json!([dead.token.to_uppercase(), "ABCD"]));
    assert_eq!(server.phones_of(IAGO).await, (1, 1));
    world.shutdown().await;
}
