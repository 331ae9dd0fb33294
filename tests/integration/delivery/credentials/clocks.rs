//! Cases 5 and 7, and clocks that are wrong: ours, seen from the push services.

use std::{sync::Arc, time::Duration};

use push_bouncer::{
    clock::{Clock, Timestamp},
    sandbox::faults::{Act, Seen},
};

use super::{REFRESHES, pushes_to_apple, refused, with_iphone};
use crate::{
    delivery::load::tell_times,
    world::{IAGO, Phone, Stage, User, World, message, to, until},
};

const SKEW: &str = "push_bouncer_provider_clock_skew_seconds";

/// A token serves for so long, in seconds; its step begins a minute late.
const STEP: i64 = 25 * 60;

/// The stories begin with a step of the year 2046: a clock that began in the past does not run.
const STEPS: i64 = 1_600_000;

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
    let counted = async |name, label| world.metric(name, &["provider=\"apns\"", label]).await;
    let errors = counted("push_bouncer_push_errors_total", "reason=\"ExpiredProviderToken\"").await;
    let retries = counted("push_bouncer_push_retries_total", "cause=\"auth\"").await;
    assert_eq!((errors, retries), (1.0, 1.0), "also where the push was taken then");
    let skew = world.metric(SKEW, &["provider=\"apns\""]).await;
    assert!((4199.0..4202.0).contains(&skew), "{skew}");
    tell_times("a token that Apple calls expired", &server);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_a_young_token_that_apple_calls_expired_is_replaced_after_20_minutes() {
    // A token has just come due: the next one by the clock does so in 24 minutes.
    let world = World::start_at(STEPS * STEP + 2 * 60, "").await;
    let server = with_iphone(&world).await;
    let others = [User::number(8), User::number(9)];
    for (number, other) in others.into_iter().enumerate() {
        server.register_phone(other, &Phone::apple(&format!("iphone {number}"))).await;
    }
    server.notify(&to(IAGO, message())).await;
    world.surroundings.apns.faults().expire_tokens();

    server.notify(&to(IAGO, message())).await;
    world.clock.advance(Duration::from_secs(19 * 60));
    server.notify(&to(others[0], message())).await;
    assert_eq!(tokens_made(&world).await, 1.0, "Apple does not allow another one yet");

    world.clock.advance(Duration::from_secs(2 * 60));
    until("what waited is sent", async || {
        world.clock.advance(Duration::from_millis(500));
        (pushes_to_apple(&world).await.0 == 3.0).then_some(())
    })
    .await;
    server.notify(&to(others[1], message())).await;
    // It would be one change too many if the token changed by the clock now.
    world.clock.advance(Duration::from_secs(4 * 60));
    server.notify(&to(IAGO, message())).await;
    assert_eq!(pushes_to_apple(&world).await, (5.0, 0.0));
    assert_eq!(tokens_made(&world).await, 2.0);
    let apns = world.surroundings.apns.counters();
    assert_eq!(apns.refused.len(), 1, "{apns:?}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_a_good_token_that_one_connection_calls_expired_serves_on_another() {
    let world = World::start_at(STEPS * STEP + 2 * 60, "").await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    let expired_on_the_first = |seen: &Seen| match seen.connection {
        1 => Act::Refuse("ExpiredProviderToken".to_owned()),
        _ => Act::Answer,
    };
    world.surroundings.apns.faults().set_script(Some(Arc::new(expired_on_the_first)));

    server.notify(&to(IAGO, message())).await;
    // The clock stands as good as still.
    until("it is taken", async || (pushes_to_apple(&world).await.0 == 2.0).then_some(())).await;
    assert_eq!(tokens_made(&world).await, 1.0);
    assert_eq!(world.surroundings.apns.counters().connections, 2);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_an_old_token_that_apple_calls_expired_is_replaced_at_once() {
    let world = World::start_at(STEPS * STEP + 2 * 60, "").await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    world.clock.advance(Duration::from_secs(21 * 60));
    world.surroundings.apns.faults().expire_tokens();
    server.notify(&to(IAGO, message())).await;
    assert_eq!(pushes_to_apple(&world).await, (2.0, 0.0), "at the time of the answer");
    assert_eq!(refused(&world, "ExpiredProviderToken"), 1);
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
    let apples = Clock::starting_at(Timestamp::from_unix_seconds(STEPS * STEP + 5));
    let stage = Stage::set_at(apples, "").await;
    let ours = Clock::starting_at(Timestamp::from_unix_seconds(STEPS * STEP + 62));
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
    let world = World::start_at(STEPS * STEP + 60 - 100, "").await;
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

/// How many tokens the server has signed for Apple.
async fn tokens_made(world: &World) -> f64 {
    world.metric(REFRESHES, &["kind=\"apns_jwt\"", "result=\"ok\""]).await
}

/// A world whose server's clock is so many seconds ahead of everybody else's.
async fn skewed(seconds: i64) -> World {
    let stage = Stage::set("").await;
    let now = stage.clock.now().unix_seconds();
    let clock = Clock::starting_at(Timestamp::from_unix_seconds(now + seconds));
    let config = stage.surroundings.config().to_owned();
    stage.serve_at(clock, &config).await
}
