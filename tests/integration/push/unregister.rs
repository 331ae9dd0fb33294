//! `POST push/unregister`: which phone is forgotten, and which is not.

use serde_json::json;

use crate::world::{IAGO, Phone, User, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_apple_token_is_found_in_any_case() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("iphone");
    let upper = Phone { token: phone.token.to_uppercase(), ..phone.clone() };
    for (registered, unregistered) in [(&upper, &phone), (&phone, &upper)] {
        server.register_phone(IAGO, registered).await;
        let (status, _) = server.about_phone("push/unregister", IAGO, unregistered, &[]).await;
        assert_eq!((status, server.phones_of(IAGO).await), (200, (0, 0)));
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_android_token_is_found_only_as_it_was_registered() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("token")).await;
    let upper = Phone::android("TOKEN");
    let (status, answer) = server.about_phone("push/unregister", IAGO, &upper, &[]).await;
    assert_eq!((status, &answer["msg"]), (400, &json!("Token does not exist")));
    assert_eq!(server.phones_of(IAGO).await, (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_phone_stays_with_other_users_and_servers() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let phone = Phone::apple("iphone");
    server.register_phone(IAGO, &phone).await;
    server.register_phone(User::other(), &phone).await;
    neighbour.register_phone(IAGO, &phone).await;

    let (status, _) = server.about_phone("push/unregister", IAGO, &phone, &[]).await;

    assert_eq!(status, 200);
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    assert_eq!(server.phones_of(User::other()).await, (0, 1));
    assert_eq!(neighbour.phones_of(IAGO).await, (0, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn either_identity_finds_the_device_and_both_find_two_rows() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::android("android");
    server.register_phone(IAGO.by_uuid(), &phone).await;
    server.register_phone(IAGO.by_id(), &phone).await;

    let unregister = |user| server.about_phone("push/unregister", user, &phone, &[]);
    assert_eq!(unregister(IAGO).await.0, 200);

    assert_eq!(server.phones_of(IAGO.by_id()).await, (0, 0));
    assert_eq!(server.phones_of(IAGO.by_uuid()).await, (0, 0));
    assert_eq!(unregister(IAGO).await.0, 400, "there is nothing left");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_other_kind_is_another_device() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let iphone = Phone::apple("iphone");
    let android = Phone::android(&iphone.token);
    server.register_phone(IAGO, &iphone).await;
    server.register_phone(IAGO, &android).await;
    assert_eq!(server.about_phone("push/unregister", IAGO, &android, &[]).await.0, 200);
    assert_eq!(server.phones_of(IAGO).await, (0, 1));
    world.shutdown().await;
}
