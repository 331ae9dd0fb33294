//! `POST push/register`: what is remembered of a phone.

use entities::devices;
use futures_util::future::join_all;
use sea_orm::EntityTrait as _;
use serde_json::json;

use crate::world::{IAGO, Phone, TOPICS, User, World, message, to};

mod together;

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

#[tokio::test(flavor = "multi_thread")]
async fn registering_again_refreshes_the_app() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("iphone");
    server.register_phone(IAGO, &phone).await;
    server.notify(&to(IAGO, message())).await;

    server.register_phone(IAGO, &Phone { app_id: TOPICS[1], ..phone }).await;
    let answer = server.notify(&to(IAGO, message())).await;

    assert_eq!(answer["total_apple_devices"], 1);
    let topics: Vec<_> = world.pushes().into_iter().filter_map(|push| push.topic).collect();
    assert_eq!(topics, TOPICS);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_either_case_is_one_device() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let lower = Phone::apple("iphone");
    let upper = Phone { token: lower.token.to_uppercase(), ..lower.clone() };
    assert_ne!(lower.token, upper.token);
    server.register_phone(IAGO, &lower).await;
    server.register_phone(IAGO, &upper).await;

    assert_eq!(server.notify(&to(IAGO, message())).await["total_apple_devices"], 1);
    assert_eq!(world.arrived(), (1, 0));
    assert_eq!(world.pushes()[0].token, lower.token);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_android_phones_differ_by_case() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("Token")).await;
    server.register_phone(IAGO, &Phone::android("token")).await;
    assert_eq!(server.phones_of(IAGO).await, (2, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_with_both_identities_replaces_the_row_under_the_number() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    for phone in [&iphone, &android] {
        server.register_phone(IAGO.by_id(), phone).await;
    }
    assert_eq!(server.phones_of(IAGO.by_id()).await, (1, 1));

    // The same token in another case: it is the same device.
    let upper = Phone { token: iphone.token.to_uppercase(), ..iphone };
    server.register_phone(IAGO, &upper).await;

    assert_eq!(server.phones_of(IAGO.by_id()).await, (1, 0));
    assert_eq!(server.phones_of(IAGO.by_uuid()).await, (0, 1));
    assert_eq!(server.phones_of(IAGO).await, (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_phone_of_several_users_and_servers_is_several_devices_that_die_together() {
    let world = World::start("").await;
    let first = world.chat_server("first.selfhosted.test").await;
    let second = world.chat_server("second.selfhosted.test").await;
    for phone in [Phone::apple("shared dead"), Phone::android("shared-dead")] {
        first.register_phone(IAGO, &phone).await;
        first.register_phone(User::other(), &phone).await;
        second.register_phone(IAGO, &phone).await;
        second.register_phone(IAGO, &Phone { token: format!("{}00", phone.token), ..phone }).await;
    }
    let database = world.database().await;
    let devices = || async { devices::Entity::find().all(&database).await.unwrap() };
    assert_eq!(devices().await.len(), 8);

    let answer = first.notify(&to(IAGO, message())).await;
    assert_eq!(
        (&answer["total_android_devices"], &answer["total_apple_devices"]),
        (&json!(1), &json!(1))
    );

    assert_eq!(world.arrived(), (1, 1), "only this user's devices were pushed to");
    let live = devices().await.into_iter().filter(|device| device.gone_at.is_none()).count();
    assert_eq!(live, 2, "other tokens stay");
    assert_eq!(first.phones_of(User::other()).await, (0, 0));
    assert_eq!(second.phones_of(IAGO).await, (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_under_the_number_goes_although_the_realm_is_refused() {
    let world = World::start("").await;
    let owner = world.chat_server("owner.selfhosted.test").await;
    owner.upload_realm(REALM).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::android("android");
    server.register_phone(IAGO.by_id(), &phone).await;

    let realm = [("realm_uuid", REALM)];
    let (status, answer) = server.about_phone("push/register", IAGO, &phone, &realm).await;

    assert_eq!((status, &answer["code"]), (403, &json!("REMOTE_REALM_SERVER_MISMATCH_ERROR")));
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_remembers_its_realm_and_its_app() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let realm = [("realm_uuid", REALM), ("ios_app_id", TOPICS[0])];
    let phone = Phone::apple("iphone");
    let (status, answer) = server.about_phone("push/register", IAGO, &phone, &realm).await;
    assert_eq!((status, answer["result"].as_str()), (200, Some("success")));

    let stored = devices::Entity::find().one(&world.database().await).await.unwrap().unwrap();
    assert!(stored.remote_realm_id.is_some());
    assert_eq!(stored.ios_app_id.as_deref(), Some(TOPICS[0]));
    assert_eq!((stored.user_id, stored.user_uuid.is_some()), (None, true));
    assert!(world.clock.now().unix_millis() - stored.registered_at < 60_000);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_many_times_at_once_makes_one_device() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("iphone");
    server.register_phone(IAGO.by_id(), &phone).await;
    join_all((0..24).map(|_| server.register_phone(IAGO, &phone))).await;
    assert_eq!(devices::Entity::find().all(&world.database().await).await.unwrap().len(), 1);
    assert_eq!(server.phones_of(IAGO).await, (0, 1));
    world.shutdown().await;
}
