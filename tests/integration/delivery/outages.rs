//! Push services that are down, silent or misused: nothing that can be delivered is lost, and nobody waits.

use std::time::Duration;

use futures_util::future::join_all;
use push_bouncer::sandbox::faults::Outage;
use tokio::time::Instant;

use crate::{
    delivery::load::{Times, tell, tell_times},
    world::{ChatServer, IAGO, Phone, User, World, message, to, until},
};

const MINUTE: Duration = Duration::from_secs(60);

/// A server with so many users who have a phone of each kind.
async fn with_users(settings: &str, users: i64) -> (World, ChatServer) {
    let world = World::start(settings).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for number in 0..users {
        for phone in
            [Phone::apple(&format!("iphone{number}")), Phone::android(&format!("android{number}"))]
        {
            server.register_phone(user(number), &phone).await;
        }
    }
    (world, server)
}

fn user(number: i64) -> User {
    User::number(1000 + number)
}

/// Notifies twenty users at once; how long the answers took, in ascending order.
async fn answers_to(server: &ChatServer) -> Vec<Duration> {
    let notifies = (0..20).map(|number| async move {
        let began = Instant::now();
        server.notify(&to(user(number), message())).await;
        began.elapsed()
    });
    let mut took = join_all(notifies).await;
    took.sort_unstable();
    took
}

async fn given_up(world: &World) -> f64 {
    world.metric("push_bouncer_pushes_given_up_total", &[]).await
}

async fn final_outcomes(world: &World) -> f64 {
    world.metric("push_bouncer_pushes_total", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_delays_no_answer_and_no_other_service() {
    let (world, server) = with_users("", 20).await;
    // What the machine itself takes for it, which other tests use too.
    let usual = answers_to(&server).await;
    world.surroundings.apns.faults().set_outage(Some(Outage::Silence));

    let took = answers_to(&server).await;

    let longest = took[took.len() - 1];
    let allowed = Duration::from_millis(3200) + usual[usual.len() - 1];
    assert!(longest <= allowed, "answered after {took:?}, usually {usual:?}");
    tell(&format!("one push service is a black hole: {}", Times::of(took).in_words()));
    assert_eq!(
        world.surroundings.fcm.counters().accepted,
        40,
        "the other service is not concerned"
    );
    world.surroundings.apns.faults().set_outage(None);
    world.clock.advance(5 * MINUTE);
    until("all are delivered", async || {
        world.clock.advance(Duration::from_secs(5));
        (world.surroundings.apns.counters().accepted == 40).then_some(())
    })
    .await;
    until("each is counted", async || (final_outcomes(&world).await == 80.0).then_some(())).await;
    assert_eq!(given_up(&world).await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_of_most_of_an_hour_all_is_delivered_once() {
    const USERS: i64 = 40;
    let (world, server) = with_users("", USERS).await;
    for faults in [world.surroundings.apns.faults(), world.surroundings.fcm.faults()] {
        faults.set_outage(Some(Outage::ServiceUnavailable));
    }
    for number in 0..USERS {
        server.notify(&to(user(number), message())).await;
    }
    tell_times("an outage of both push services", &server);
    let unavailable = ["apns", "fcm"];
    for provider in unavailable {
        assert_eq!(world.metric("push_bouncer_provider_available", &[provider]).await, 0.0);
    }
    for _ in 0..11 {
        world.clock.advance(5 * MINUTE);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(final_outcomes(&world).await, 0.0, "nothing is decided");
    for faults in [world.surroundings.apns.faults(), world.surroundings.fcm.faults()] {
        faults.set_outage(None);
    }
    until("all are delivered", async || {
        world.clock.advance(Duration::from_secs(2));
        let (apns, fcm) = (&world.surroundings.apns, &world.surroundings.fcm);
        let phones = apns.accepted_by_token().len() + fcm.accepted_by_token().len();
        (phones == 2 * USERS as usize).then_some(())
    })
    .await;
    let accepted =
        world.surroundings.apns.counters().accepted + world.surroundings.fcm.counters().accepted;
    assert_eq!(accepted, 2 * USERS as u64, "each once");
    until("each is counted", async || {
        (final_outcomes(&world).await == 2.0 * USERS as f64).then_some(())
    })
    .await;
    assert_eq!(given_up(&world).await, 0.0);
    for provider in unavailable {
        world.until_metric("push_bouncer_provider_available", &[provider], 1.0).await;
    }
    assert_eq!(world.metric("push_bouncer_push_retry_entries", &[]).await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_is_given_up_and_counted() {
    let (world, server) = with_users("push.retry_for = \"10m\"", 3).await;
    world.surroundings.apns.faults().set_outage(Some(Outage::ServiceUnavailable));
    for number in 0..3 {
        server.notify(&to(user(number), message())).await;
    }
    for _ in 0..12 {
        world.clock.advance(MINUTE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until("they are given up", async || (given_up(&world).await == 3.0).then_some(())).await;
    let labels = ["outcome=\"provider_error\""];
    world.until_metric("push_bouncer_pushes_total", &labels, 3.0).await;
    world.until_metric("push_bouncer_pushes_total", &[], 6.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_while_its_app_is_held_back_is_given_up_and_nobody_is_asked() {
    let (world, server) = with_users("push.retry_for = \"10m\"", 25).await;
    let faults = world.surroundings.apns.faults();
    faults.set_retry_after(Some(MINUTE));
    faults.set_outage(Some(Outage::ServiceUnavailable));
    for number in 0..25 {
        server.notify(&to(user(number), message())).await;
    }
    let is_available = world.metric("push_bouncer_provider_available", &["apns"]).await;
    let asked = world.surroundings.apns.counters().requests();
    assert_eq!((is_available, asked), (0.0, 20));
    world.clock.advance(11 * MINUTE);
    until("they are given up", async || (given_up(&world).await == 25.0).then_some(())).await;
    assert_eq!(world.surroundings.apns.counters().requests(), asked);
    world.until_metric("push_bouncer_pushes_total", &[], 50.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_holds_pushes_back_until_it_is_mended_and_costs_no_device() {
    const USERS: i64 = 30;
    let (world, server) = with_users("http.shutdown_grace = \"1s\"", USERS).await;
    world.surroundings.apns.replace_keys(&[]);
    for number in 0..USERS {
        server.notify(&to(user(number), message())).await;
    }
    assert_eq!(world.metric("push_bouncer_provider_available", &["apns"]).await, 0.0);
    let asked = world.surroundings.apns.counters().requests();
    // Three pushes in a row are believed; the first may be tried again before the third.
    assert!(asked <= 8, "it is not asked for each push: {asked}");
    for number in 0..USERS {
        assert_eq!(server.phones_of(user(number)).await, (1, 1));
    }
    assert_eq!(world.surroundings.fcm.counters().accepted, USERS as u64);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_gives_up_the_least_urgent_and_one_server_has_a_quarter() {
    let world = World::start("push.retry_devices = 1000\npush.duplicate_window = \"0\"").await;
    let (loud, quiet) =
        (world.chat_server("loud.test").await, world.chat_server("quiet.test").await);
    for server in [&loud, &quiet] {
        for number in 0..10 {
            server
                .register_phone(IAGO, &Phone::android(&format!("{}{number}", server.hostname)))
                .await;
        }
    }
    world.surroundings.fcm.faults().set_outage(Some(Outage::ServiceUnavailable));
    quiet.notify(&to(IAGO, message())).await;
    for _ in 0..40 {
        loud.notify(&to(IAGO, message())).await;
    }
    // A quarter of 1000, and the quiet one's.
    until("the gauge shows it", async || {
        let waiting = world.metric("push_bouncer_push_retry_entries", &["fcm"]).await;
        (waiting == 260.0).then_some(())
    })
    .await;
    let share = world.metric("push_bouncer_pushes_given_up_total", &["server_share", "fcm"]).await;
    assert_eq!(share, 150.0);
    world.surroundings.fcm.faults().set_outage(None);
    until("all that waits is delivered", async || {
        world.clock.advance(Duration::from_secs(2));
        (world.surroundings.fcm.counters().accepted == 260).then_some(())
    })
    .await;
    let by_token = world.surroundings.fcm.accepted_by_token();
    let of_quiet = by_token.iter().filter(|(token, _)| token.starts_with("quiet")).count();
    assert_eq!(of_quiet, 10, "the quiet one lost nothing");
    world.shutdown().await;
}
