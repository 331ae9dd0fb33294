//! Cases 5 and 7, and clocks that are wrong: ours, seen from the push services.

use std::time::Duration;

use push_bouncer::clock::{Clock, Timestamp};

use super::{pushes_to_apple, refused, with_iphone};
use crate::{
    delivery::load::tell_times,
    world::{IAGO, Phone, Stage, World, message, to},
};

const SKEW: &str = "push_bouncer_provider_clock_skew_seconds";

/// A token serves for so long, in seconds; its step begins a minute late.
const STEP: i64 = 25 * 60;

#[tokio::test(flavor = "multi_thread")]
async fn case_05_a_token_that_apple_calls_expired_is_renewed_once() {
    // An hour and ten minutes behind: our newest token is an hour old at Apple's.
    let world = skewed(-70 * 60).await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    assert_eq!(refused(&world, "ExpiredProviderToken"), 1);
    assert_eq!(
        pushes_to_apple(&world).await,
        (1.0, 0.0),
        "the repetition is dated by Apple's clock"
    );
    server.notify(&to(IAGO, message())).await;
    assert_eq!(refused(&world, "ExpiredProviderToken"), 1, "it is known now");
    let skew = world.metric(SKEW, &["provider=\"apns\""]).await;
    assert!((4199.0..4202.0).contains(&skew), "{skew}");
    tell_times("a token that Apple calls expired", &server);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_a_token_from_the_future_is_dated_better() {
    let world = skewed(2 * 60 * 60).await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    assert_eq!(refused(&world, "InvalidProviderToken"), 1);
    assert_eq!(pushes_to_apple(&world).await, (1.0, 0.0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_25_an_assertion_with_a_wrong_date_is_dated_better() {
    for seconds in [-3 * 60 * 60, 3 * 60 * 60] {
        let world = skewed(seconds).await;
        let server = world.chat_server("chat.selfhosted.test").await;
        server.register_phone(IAGO, &Phone::android("android")).await;
        server.notify(&to(IAGO, message())).await;
        assert_eq!(world.surroundings.fcm.counters().accepted, 1, "{seconds}");
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_little_ahead_does_no_harm() {
    // At the worst moment: a step has just begun by our clock.
    let apples = Clock::starting_at(Timestamp::from_unix_seconds(1_200_000 * STEP + 5));
    let stage = Stage::set_at(apples, "").await;
    let ours = Clock::starting_at(Timestamp::from_unix_seconds(1_200_000 * STEP + 62));
    let config = stage.surroundings.config().to_owned();
    let world = stage.serve_at(ours, &config).await;
    let server = with_iphone(&world).await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    server.notify(&to(IAGO, message())).await;
    let counters = (world.surroundings.apns.counters(), world.surroundings.fcm.counters());
    assert!(counters.0.refused.is_empty() && counters.1.refused.is_empty(), "{counters:?}");
    assert_eq!((counters.0.accepted, counters.1.accepted), (1, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_one_token_change_too_many_is_put_off_on_another_connection() {
    // A hundred seconds before the next token is due.
    let world = World::start_at(1_200_000 * STEP + 60 - 100, "").await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    world.clock.advance(Duration::from_secs(200));
    for number in 0..5 {
        let mut notification = to(IAGO, message());
        notification["apns_payload"]["badge"] = number.into();
        server.notify(&notification).await;
    }
    assert_eq!(refused(&world, "TooManyProviderTokenUpdates"), 1);
    assert_eq!(pushes_to_apple(&world).await, (6.0, 0.0));
    assert_eq!(world.surroundings.apns.counters().connections, 2);
    world.shutdown().await;
}

/// A world whose server's clock is so many seconds ahead of everybody else's.
async fn skewed(seconds: i64) -> World {
    let stage = Stage::set("").await;
    let now = stage.clock.now().unix_seconds();
    let clock = Clock::starting_at(Timestamp::from_unix_seconds(now + seconds));
    let config = stage.surroundings.config().to_owned();
    stage.serve_at(clock, &config).await
}
