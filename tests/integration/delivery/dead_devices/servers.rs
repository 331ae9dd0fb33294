//! Who may pull the brake: not one server alone where others send enough to tell.

use super::*;

const ENGAGED: &str = "push_bouncer_token_brake_engaged";

/// Registers phones of Iago that Apple calls bad, and notifies him.
async fn send_to_bad(server: &ChatServer, phones: usize) {
    for number in 0..phones {
        let phone = Phone::apple(&format!("badtok-{}-{number}", server.hostname));
        server.register_phone(IAGO, &phone).await;
    }
    notify(server).await;
}

/// The same with phones that accept.
async fn send_to_good(server: &ChatServer, user: User, phones: usize) {
    for number in 0..phones {
        let phone = Phone::apple(&format!("iphone-{}-{number}", server.hostname));
        server.register_phone(user, &phone).await;
    }
    server.notify(&to(user, message())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_registers_nonsense_does_not_stop_the_removals_of_all() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let quiet = world.chat_server("quiet.test").await;
    let loud = world.chat_server("loud.test").await;
    send_to_good(&quiet, User::number(1), 60).await;
    send_to_bad(&loud, 40).await;
    assert_eq!(world.metric(ENGAGED, &[]).await, 0.0, "40 of 100, but all of one server");
    assert_eq!(world.states_of_devices().await, (60, 0, 40));

    // Without the loud one 15 of 75 are bad, then 26 of 86.
    send_to_bad(&quiet, 15).await;
    assert_eq!(world.metric(ENGAGED, &[]).await, 0.0);
    let third = world.chat_server("third.test").await;
    send_to_bad(&third, 11).await;
    world.until_metric(ENGAGED, &[], 1.0).await;
    assert_eq!(world.states_of_devices().await, (60, 66, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_others_send_too_little_to_tell_one_server_is_enough() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let quiet = world.chat_server("quiet.test").await;
    let loud = world.chat_server("loud.test").await;
    send_to_good(&quiet, User::number(1), 30).await;
    send_to_bad(&loud, 20).await;
    world.until_metric(ENGAGED, &[], 1.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_that_sent_long_ago_do_not_count() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let first = world.chat_server("first.test").await;
    let other = world.chat_server("other.test").await;
    send_to_good(&first, User::number(1), 1).await;
    send_to_good(&other, User::number(1), 1).await;
    world.clock.advance(Duration::from_secs(17 * 60));
    // As if it were the only one: nobody else could tell.
    send_to_good(&first, User::number(2), 60).await;
    send_to_bad(&first, 25).await;
    world.until_metric(ENGAGED, &[], 1.0).await;
    world.shutdown().await;
}
