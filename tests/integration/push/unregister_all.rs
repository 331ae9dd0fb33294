//! `POST push/unregister/all`: no phone of a user is left.

use crate::world::{ChatServer, IAGO, Phone, User, World};

#[tokio::test(flavor = "multi_thread")]
async fn rows_under_both_identities_and_of_both_kinds_go() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for (user, phone) in [
        (IAGO.by_id(), Phone::apple("old iphone")),
        (IAGO.by_id(), Phone::android("old-android")),
        (IAGO.by_uuid(), Phone::apple("iphone")),
        (IAGO.by_uuid(), Phone::android("android")),
    ] {
        server.register_phone(user, &phone).await;
    }
    assert_eq!(server.phones_of(IAGO).await, (2, 2));

    unregister_all(&server, IAGO).await;

    assert_eq!(server.phones_of(IAGO.by_id()).await, (0, 0));
    assert_eq!(server.phones_of(IAGO.by_uuid()).await, (0, 0));
    unregister_all(&server, IAGO).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_identity_that_is_named_counts() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO.by_id(), &Phone::android("by-id")).await;
    server.register_phone(IAGO.by_uuid(), &Phone::android("by-uuid")).await;
    unregister_all(&server, IAGO.by_id()).await;
    assert_eq!(server.phones_of(IAGO.by_id()).await, (0, 0));
    assert_eq!(server.phones_of(IAGO.by_uuid()).await, (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_other_users_and_servers_stay() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let phone = Phone::apple("iphone");
    server.register_phone(IAGO, &phone).await;
    server.register_phone(User::other(), &phone).await;
    neighbour.register_phone(IAGO, &phone).await;

    unregister_all(&server, IAGO).await;

    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    assert_eq!(server.phones_of(User::other()).await, (0, 1));
    assert_eq!(neighbour.phones_of(IAGO).await, (0, 1));
    world.shutdown().await;
}

async fn unregister_all(server: &ChatServer, user: User) {
    let reply = server.form("push/unregister/all", &user.fields()).await;
    assert_eq!((reply.status.as_u16(), reply.json["result"].as_str()), (200, Some("success")));
}
