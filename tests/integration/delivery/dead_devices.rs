//! Devices that are gone, that seem to be, and the brake on removing them.

mod brake;
mod naming;
mod servers;

use std::{sync::Arc, time::Duration};

use entities::{devices, e2ee_devices};
use push_bouncer::{
    clock::Timestamp,
    sandbox::faults::{Act, Script},
};
use sea_orm::EntityTrait as _;
use serde_json::Value;

use crate::{
    delivery::load::tell_times,
    world::{ChatServer, IAGO, Phone, TOPICS, User, World, message, to, until, until_it_counts},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The metric of devices that came and went.
async fn changes(world: &World, change: &str) -> f64 {
    let label = format!("change=\"{change}\"");
    world.metric("push_bouncer_device_changes_total", &[&label]).await
}

/// Makes Apple's fake refuse every device for this reason, as when the topic or the environment is wrong; with
/// `None` each does what its token says.
fn refuse_all(world: &World, reason: Option<&'static str>) {
    let script =
        reason.map(|reason| -> Script { Arc::new(move |_| Act::Refuse(reason.to_owned())) });
    world.surroundings.apns.faults().set_script(script);
}

async fn only_device(world: &World) -> devices::Model {
    let mut rows = world.devices().await;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

/// Notifies Iago of a message.
async fn notify(server: &ChatServer) -> Value {
    server.notify(&to(IAGO, message())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn case_01_a_410_removes_a_device_until_it_is_registered_again() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("dead");
    server.register_phone(IAGO, &phone).await;
    notify(&server).await;
    let row = only_device(&world).await;
    assert!(row.gone_at.is_some() && !row.in_doubt && row.suspected_at.is_none());
    assert_eq!(row.token.0, "", "of a dead token nothing but its digest is kept");
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    notify(&server).await;
    assert_eq!(world.arrived(), (1, 0), "nothing is sent to what is gone");
    let unregistered = server.about_phone("push/unregister", IAGO, &phone, &[]).await;
    assert_eq!((unregistered.0, &unregistered.1["msg"]), (400, &"Token does not exist".into()));
    assert!(world.devices().await.is_empty(), "what a server unregisters is deleted");

    server.register_phone(IAGO, &phone).await;
    notify(&server).await;
    world.clock.advance(Duration::from_secs(1));
    server.register_phone(IAGO, &phone).await;
    let row = only_device(&world).await;
    assert_eq!((row.gone_at, row.token.0), (None, phone.token.clone()), "it lives again");
    assert_eq!(server.phones_of(IAGO).await, (0, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_01_a_410_of_before_the_registration_removes_nothing() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("dead");
    server.register_phone(IAGO, &phone).await;
    world.surroundings.apns.set_latency(Duration::from_millis(700));
    let register = async {
        until("the push arrives", async || (world.arrived() != (0, 0)).then_some(())).await;
        world.clock.advance(Duration::from_secs(1));
        server.register_phone(IAGO, &phone).await;
    };
    tokio::join!(notify(&server), register);
    let row = only_device(&world).await;
    assert!(row.gone_at.is_none() && row.suspected_at.is_none());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_01_the_timestamp_of_the_410_decides() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("dead")).await;
    let registered = Timestamp::from_unix_millis(only_device(&world).await.registered_at);
    let faults = world.surroundings.apns.faults();
    let millisecond = Duration::from_millis(1);
    for (gone_at, is_gone) in [(registered - millisecond, false), (registered, true)] {
        faults.set_gone_at(Some(gone_at));
        notify(&server).await;
        assert_eq!(only_device(&world).await.gone_at.is_some(), is_gone);
    }
    tell_times("410 older and newer than the registration", &server);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_02_an_expired_token_is_as_dead() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("reason-ExpiredToken-")).await;
    notify(&server).await;
    let row = only_device(&world).await;
    assert!(row.gone_at.is_some() && !row.in_doubt);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_03_a_bad_token_is_removed_and_could_come_back() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::apple("badtok");
    server.register_phone(IAGO, &phone).await;
    let mut body = to(IAGO, message());
    body["apple_devices"] = vec![phone.token.clone()].into();
    let answer = server.notify(&body).await;
    assert_eq!(answer["deleted_devices"]["apple_devices"][0], phone.token);
    let row = only_device(&world).await;
    assert!(row.gone_at.is_some() && row.in_doubt);
    assert_eq!(row.token.0, phone.token, "it keeps all it takes to come back");
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_a_token_of_another_app_is_removed_from_the_app_that_was_named() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let phone = Phone::apple("nottopic");
    server.register_phone(IAGO, &phone).await;
    // The same phone, under another of the operator's apps.
    neighbour.register_phone(IAGO, &Phone { app_id: TOPICS[1], ..phone }).await;
    for fault in ["reason-TopicDisallowed-", "reason-BadTopic-"] {
        server.register_phone(IAGO, &Phone::apple(fault)).await;
    }
    notify(&server).await;
    assert_eq!(server.phones_of(IAGO).await, (0, 2), "faults of the configuration remove nothing");
    assert_eq!(neighbour.phones_of(IAGO).await, (0, 1), "the other app was not asked");
    assert_eq!(world.states_of_devices().await, (3, 0, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_18_only_the_detail_of_fcm_says_that_a_device_is_unregistered() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for words in ["dead", "reason-NOT_FOUND-"] {
        server.register_phone(IAGO, &Phone::android(words)).await;
    }
    notify(&server).await;
    let rows = world.devices().await;
    assert!(rows[0].gone_at.is_some() && rows[0].token.0.is_empty() && !rows[0].in_doubt);
    assert!(rows[1].gone_at.is_none() && rows[1].suspected_at.is_none());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_a_token_that_google_calls_malformed_stays_as_a_suspect() {
    let world = World::start("push.brake = { min_pushes = 2, ratio = 0.5 }").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::android("badtok");
    server.register_phone(IAGO, &phone).await;
    for _ in 0..5 {
        notify(&server).await;
    }
    assert_eq!(world.states_of_devices().await, (0, 1, 0));
    assert_eq!(world.arrived(), (0, 5), "it is sent to");
    assert_eq!(changes(&world, "suspected").await, 1.0);
    let brakes = world.metric("push_bouncer_token_brake_engaged", &[]).await;
    assert_eq!(brakes, 0.0, "one device that is sent to often does not pull the brake");
    server.register_phone(IAGO, &phone).await;
    assert_eq!(world.states_of_devices().await, (1, 0, 0), "the next registration replaces it");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_21_a_device_of_another_project_is_left_alone_for_an_hour() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let phone = Phone::android("nottopic");
    server.register_phone(IAGO, &phone).await;
    for _ in 0..3 {
        notify(&server).await;
    }
    assert_eq!(world.arrived(), (0, 1), "it is not asked about again");
    assert_eq!(world.states_of_devices().await, (0, 1, 0));
    let labels = ["provider=\"fcm\"", "outcome=\"auth_failed\""];
    world.until_metric("push_bouncer_pushes_total", &labels, 3.0).await;

    server.register_phone(IAGO, &phone).await;
    notify(&server).await;
    assert_eq!(world.arrived(), (0, 2), "it was registered anew");
    notify(&server).await;
    world.clock.advance(Duration::from_secs(60 * 60));
    notify(&server).await;
    assert_eq!(world.arrived(), (0, 3), "an hour later it is tried again");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_27_silence_alone_removes_nothing_and_tombstones_last_thirty_days() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for words in ["dead", "badtok", "iphone"] {
        server.register_phone(IAGO, &Phone::apple(words)).await;
    }
    notify(&server).await;
    assert_eq!(world.states_of_devices().await, (1, 0, 2));
    world.clock.advance(29 * DAY);
    // What is done hourly was done when this is over.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.states_of_devices().await, (1, 0, 2));
    world.clock.advance(300 * DAY);
    until("the tombstones are deleted", async || {
        (world.states_of_devices().await == (1, 0, 0)).then_some(())
    })
    .await;
    notify(&server).await;
    assert_eq!(world.arrived(), (4, 0), "nearly a year of silence is no reason");
    assert_eq!(server.phones_of(IAGO).await, (0, 1));
    world.shutdown().await;
}
