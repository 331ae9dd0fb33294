//! What the answers of Apple and Google do to a device.

use std::{net::SocketAddr, time::Duration};

use crate::world::{ChatServer, IAGO, Phone, Stage, World, message, to, until};

/// Long enough to do something meanwhile.
const LATENCY: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn phones_that_apple_or_google_declare_dead_are_removed_everywhere() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let dead = [
        Phone::apple("dead"),
        Phone::apple("badtok"),
        Phone::apple("nottopic"),
        Phone::apple("reason-ExpiredToken-"),
        Phone::android("dead"),
    ];
    for phone in &dead {
        server.register_phone(IAGO, phone).await;
        neighbour.register_phone(IAGO, phone).await;
    }
    server.notify(&to(IAGO, message())).await;
    assert_eq!(world.arrived(), (4, 1));
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    assert_eq!(neighbour.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_refusal_leaves_the_phone() {
    let world = World::start("push.retry_for = \"0\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let apple = [
        "toomany",
        "oops",
        "unavail",
        "reason-TopicDisallowed-",
        "reason-BadTopic-",
        "reason-PayloadTooLarge-",
        "reason-Shutdown-",
        "reason-InvalidProviderToken-",
        "reason-ExpiredProviderToken-",
        "reason-SomethingNew-",
    ];
    // `NOT_FOUND` is a 404 without the detail that would speak of a device: a wrong project.
    let google = [
        "badtok",
        "nottopic",
        "toomany",
        "oops",
        "unavail",
        "reason-NOT_FOUND-",
        "reason-THIRD_PARTY_AUTH_ERROR-",
        "reason-SOMETHING_NEW-",
    ];
    for words in apple {
        server.register_phone(IAGO, &Phone::apple(words)).await;
    }
    for words in google {
        server.register_phone(IAGO, &Phone::android(words)).await;
    }
    server.notify(&to(IAGO, message())).await;
    assert_eq!(world.arrived(), (apple.len(), google.len()));
    let refused = world.surroundings.fcm.requests();
    let not_found = refused.iter().find(|request| request.token.contains("NOT_FOUND")).unwrap();
    assert_eq!(not_found.status, 404);
    assert_eq!(server.phones_of(IAGO).await, (8, 10));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_410_does_not_remove_a_fresh_registration() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("dead");
    server.register_phone(IAGO, &phone).await;
    world.surroundings.apns.set_latency(LATENCY);

    notify_and_register_meanwhile(&world, &server, &phone, Duration::from_secs(1)).await;
    assert_eq!(server.phones_of(IAGO).await, (0, 1), "the 410 speaks of an earlier time");

    // The next 410 is of a later time than the registration.
    world.surroundings.apns.set_latency(Duration::ZERO);
    server.notify(&to(IAGO, message())).await;
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_unregistered_of_google_does_not_remove_a_fresh_registration() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::android("dead");
    server.register_phone(IAGO, &phone).await;
    world.surroundings.fcm.set_latency(LATENCY);

    notify_and_register_meanwhile(&world, &server, &phone, Duration::from_secs(1)).await;
    assert_eq!(server.phones_of(IAGO).await, (1, 0));

    world.surroundings.fcm.set_latency(Duration::ZERO);
    server.notify(&to(IAGO, message())).await;
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_down_cost_no_device_and_no_error() {
    let stage = Stage::set("push.retry_for = \"0\"").await;
    // Nothing listens on port 1.
    let config = stage.config_with_services_at(SocketAddr::from(([127, 0, 0, 1], 1)));
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in [Phone::apple("iphone"), Phone::android("android")] {
        server.register_phone(IAGO, &phone).await;
    }
    let answer = server.notify(&to(IAGO, message())).await;
    assert_eq!(answer["total_android_devices"], 1);
    assert_eq!(answer["total_apple_devices"], 1);
    assert_eq!(world.arrived(), (0, 0));
    assert_eq!(server.phones_of(IAGO).await, (1, 1));
    for provider in ["provider=\"apns\"", "provider=\"fcm\""] {
        let labels = [provider, "outcome=\"connect_error\""];
        let failed = until("the failure is counted", async || {
            let count = world.metric("push_bouncer_pushes_total", &labels).await;
            (count > 0.0).then_some(count)
        });
        assert_eq!(failed.await, 1.0);
    }
    world.shutdown().await;
}

/// Notifies Iago, and registers his phone again `later` than the push arrived but before it is answered.
async fn notify_and_register_meanwhile(
    world: &World,
    server: &ChatServer,
    phone: &Phone,
    later: Duration,
) {
    let notification = to(IAGO, message());
    let register = async {
        until("the push arrives", async || (world.arrived() != (0, 0)).then_some(())).await;
        world.clock.advance(later);
        server.register_phone(IAGO, phone).await;
    };
    tokio::join!(server.notify(&notification), register);
}
