//! A new key for a known server: the old one opens the door until the new one has arrived.

use std::time::Duration;

use crate::world::{ChatServer, Registered, World};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test(flavor = "multi_thread")]
async fn the_old_key_works_until_the_new_one_is_used() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (old, new) = (server.org_key.clone(), key('b'));
    assert_eq!(rotate(&server, &old, &new).await, Registered::Updated);

    assert_eq!(status(&world, &server, &old).await, 200);
    assert_eq!(status(&world, &server, &old).await, 200, "its use changes nothing");
    assert_eq!(status(&world, &server, &new).await, 200);
    assert_eq!(status(&world, &server, &old).await, 401, "the new key has arrived");
    assert_eq!(status(&world, &server, &new).await, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_key_dies_after_a_day() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (old, new) = (server.org_key.clone(), key('b'));
    rotate(&server, &old, &new).await;

    world.clock.advance(23 * HOUR);
    assert_eq!(status(&world, &server, &old).await, 200);
    world.clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(status(&world, &server, &old).await, 401);
    assert_eq!(status(&world, &server, &new).await, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_whose_answer_was_lost_is_healed_by_another() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (old, lost, new) = (server.org_key.clone(), key('b'), key('c'));
    rotate(&server, &old, &lost).await;

    // The server never stored the new key, and rotates once more with the one it has.
    assert_eq!(rotate(&server, &old, &new).await, Registered::Updated);

    assert_eq!(status(&world, &server, &lost).await, 401);
    assert_eq!(status(&world, &server, &old).await, 200);
    assert_eq!(status(&world, &server, &new).await, 200);
    assert_eq!(status(&world, &server, &old).await, 401);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rotation_twice_is_one() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (old, new) = (server.org_key.clone(), key('b'));
    for _ in 0..2 {
        assert_eq!(rotate(&server, &old, &new).await, Registered::Updated);
    }
    assert_eq!(status(&world, &server, &old).await, 200);
    assert_eq!(status(&world, &server, &new).await, 200);
    assert_eq!(status(&world, &server, &old).await, 401);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_key_neither_registers_nor_rotates() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (old, new) = (server.org_key.clone(), key('b'));
    rotate(&server, &old, &new).await;
    assert_eq!(status(&world, &server, &new).await, 200);

    let refused = Registered::Refused(400, "INVALID_ZULIP_SERVER".to_owned());
    assert_eq!(server.register().await, refused);
    assert_eq!(rotate(&server, &old, &key('c')).await, refused);
    assert_eq!(status(&world, &server, &new).await, 200);
    world.shutdown().await;
}

fn key(letter: char) -> String {
    letter.to_string().repeat(64)
}

async fn rotate(server: &ChatServer, key: &str, new: &str) -> Registered {
    server.register_with(&[("zulip_org_key", key), ("new_org_key", new)]).await
}

/// What an ordinary request with this key is answered.
async fn status(world: &World, server: &ChatServer, key: &str) -> u16 {
    world.client().status_as(&server.org_id, key).await.status
}
