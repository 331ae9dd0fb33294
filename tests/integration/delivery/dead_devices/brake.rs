//! Too many devices are called bad: the brake, from the first push to its release.

use entities::audit_log;
use sea_orm::{ConnectionTrait as _, DbBackend};

use super::*;
use crate::log::Log;

const ENGAGED: &str = "push_bouncer_token_brake_engaged";

/// Registers so many Apple phones, five for each user, none of them Iago.
async fn register_iphones(server: &ChatServer, phones: i64) {
    for number in 0..phones {
        let phone = Phone::apple(&format!("iphone-{number}"));
        server.register_phone(User::number(100 + number / 5), &phone).await;
    }
}

/// Notifies the first so many users.
async fn notify_users(server: &ChatServer, users: i64) {
    for number in 0..users {
        server.notify(&to(User::number(100 + number), message())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_topic_for_a_whole_app_costs_no_device() {
    let world =
        World::start("push.answer_within = \"10s\"\nlimits.server.rate = \"10000/min\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    register_iphones(&server, 200).await;
    let apns = &world.surroundings.apns;
    refuse_all(&world, Some("DeviceTokenNotForTopic"));
    notify_users(&server, 40).await;
    notify_users(&server, 40).await;
    assert_eq!(world.states_of_devices().await, (0, 200, 0), "all are there");
    world.until_metric(ENGAGED, &["app=\"sandbox\"", "provider=\"apns\""], 1.0).await;
    assert_eq!(world.metric(ENGAGED, &["provider=\"fcm\""]).await, 0.0);
    assert_eq!(apns.requests().len(), 400, "suspects are sent to");

    let status = world.command(&["brake", "status", "--json"]).await.json();
    let of_app = &status["apps"][0];
    assert_eq!((&of_app["provider"], &of_app["app"]), (&"apns".into(), &"sandbox".into()));
    assert_eq!((&of_app["engaged"], &of_app["suspects"]), (&true.into(), &200.into()));
    assert_eq!((&of_app["sends"], &of_app["refusals"]), (&50.into(), &50.into()));
    let told = world.command(&["brake", "status"]).await;
    assert_eq!(told.code, 0);
    let advice = "push-bouncer brake release apns sandbox --restore";
    assert!(told.complaint.contains(advice), "{told:?}");

    refuse_all(&world, None);
    let release = ["brake", "release", "apns", "sandbox", "--restore", "--reason", "wrong topic"];
    let told = world.done(&release).await;
    assert_eq!(told, "200 devices of apns sandbox restored. The brake is off.\n");
    until_it_counts("the brake is off", async || {
        (world.metric(ENGAGED, &[]).await == 0.0).then_some(())
    })
    .await;
    assert_eq!(world.states_of_devices().await, (200, 0, 0));
    let before = apns.counters().accepted;
    notify_users(&server, 40).await;
    assert_eq!(apns.counters().accepted - before, 200, "the next push is accepted by all");
    assert_eq!(world.states_of_devices().await, (200, 0, 0));

    let log = audit_log::Entity::find().all(&world.database().await).await.unwrap();
    let note = log.iter().find(|row| row.event_type == 10291).unwrap();
    let data: Value = serde_json::from_str(&note.extra_data).unwrap();
    let expected = serde_json::json!({
        "provider": "apns", "app": "sandbox", "devices": 200, "actor": "olivia",
        "reason": "wrong topic",
    });
    assert_eq!(data, expected);
    tell_times("a wrong topic for a whole app", &server);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brake_that_is_on_stays_on_over_a_restart_and_only_the_dead_go() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    register_iphones(&server, 60).await;
    refuse_all(&world, Some("BadDeviceToken"));
    notify_users(&server, 12).await;
    assert_eq!(world.states_of_devices().await, (0, 60, 0));
    refuse_all(&world, None);

    let config = world.surroundings.config().to_owned();
    let world = world.again(&config).await;
    let server = world.same_chat_server(&server);
    world.until_metric(ENGAGED, &["provider=\"apns\""], 1.0).await;
    for words in ["dead", "badtok", "nottopic"] {
        server.register_phone(IAGO, &Phone::apple(words)).await;
    }
    notify(&server).await;
    assert_eq!(server.phones_of(IAGO).await, (0, 2), "certain deaths still count");
    notify_users(&server, 1).await;
    assert_eq!(world.states_of_devices().await, (5, 57, 1), "who accepts a push is no suspect");
    assert_eq!(changes(&world, "restored").await, 5.0);

    let told = world.done(&["brake", "release", "apns", "sandbox", "--expire"]).await;
    assert_eq!(told, "57 devices of apns sandbox expired. The brake is off.\n");
    let rows = world.devices().await;
    let expired = rows.iter().filter(|row| row.gone_at.is_some());
    assert_eq!(expired.filter(|row| row.token.0.is_empty() && !row.in_doubt).count(), 58);
    until_it_counts("the brake is off", async || {
        (world.metric(ENGAGED, &[]).await == 0.0).then_some(())
    })
    .await;
    assert_eq!(server.phones_of(IAGO).await, (0, 0), "the memory of the server follows");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_anything_was_accepted_two_devices_go_and_they_come_back_with_the_first_suspect() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    register_iphones(&server, 10).await;
    refuse_all(&world, Some("BadDeviceToken"));
    for _ in 0..3 {
        notify_users(&server, 2).await;
    }
    assert_eq!(world.states_of_devices().await, (0, 8, 2));
    assert_eq!(world.metric(ENGAGED, &[]).await, 0.0, "it takes more for the brake");

    refuse_all(&world, None);
    notify_users(&server, 2).await;
    notify_users(&server, 2).await;
    assert_eq!(world.states_of_devices().await, (10, 0, 0));

    // Now that the topic is proven, a device that is called bad goes.
    server.register_phone(User::number(100), &Phone::apple("badtok")).await;
    notify_users(&server, 1).await;
    assert_eq!(world.states_of_devices().await, (10, 0, 1));
    world.shutdown().await;
}

/// Registers iPhones that Apple calls bad.
async fn register_bad(server: &ChatServer, numbers: std::ops::Range<u32>) {
    for number in numbers {
        server.register_phone(IAGO, &Phone::apple(&format!("badtok-{number}"))).await;
    }
}

/// A world in which 25 of 100 devices are gone: one more, and the brake is pulled.
async fn with_a_quarter_gone() -> (World, ChatServer) {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    register_iphones(&server, 75).await;
    notify_users(&server, 15).await;
    register_bad(&server, 0..25).await;
    notify(&server).await;
    assert_eq!(world.states_of_devices().await, (75, 0, 25));
    (world, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_of_the_pushes_is_what_it_takes() {
    let (world, server) = with_a_quarter_gone().await;
    assert_eq!(world.metric(ENGAGED, &[]).await, 0.0);
    server.register_phone(IAGO, &Phone::apple("badtok-26")).await;
    notify(&server).await;
    world.until_metric(ENGAGED, &[], 1.0).await;
    assert_eq!(world.states_of_devices().await, (75, 26, 0), "all of the window come back");
    world.shutdown().await;
}

/// Makes the database refuse to bring a device back, or do it again.
async fn refuse_to_bring_back(world: &World, refuses: bool) {
    let database = world.database().await;
    let came_back = "OLD.gone_at IS NOT NULL AND NEW.gone_at IS NULL";
    let statements = match (database.get_database_backend(), refuses) {
        (DbBackend::Sqlite, true) => vec![format!(
            "CREATE TRIGGER away BEFORE UPDATE ON devices WHEN {came_back} BEGIN SELECT RAISE(ABORT, 'away'); END"
        )],
        (DbBackend::Sqlite, false) => vec!["DROP TRIGGER away".to_owned()],
        (_, true) => vec![
            "CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'away'; END $$"
                .to_owned(),
            format!(
                "CREATE TRIGGER away BEFORE UPDATE ON devices FOR EACH ROW WHEN ({came_back}) EXECUTE FUNCTION away()"
            ),
        ],
        (_, false) => vec!["DROP TRIGGER away ON devices".to_owned()],
    };
    for statement in statements {
        database.execute_unprepared(&statement).await.unwrap();
    }
}

// On one thread: the log is that thread's.
#[tokio::test]
async fn who_cannot_come_back_at_once_comes_back_later_and_each_line_is_logged_once() {
    let log = Log::begin();
    let (world, server) = with_a_quarter_gone().await;
    refuse_to_bring_back(&world, true).await;
    server.register_phone(IAGO, &Phone::apple("badtok-26")).await;
    notify(&server).await;
    world.until_metric(ENGAGED, &[], 1.0).await;
    until("it was tried again, in vain", async || {
        (world.metric("push_bouncer_db_errors_total", &[]).await >= 3.0).then_some(())
    })
    .await;
    assert_eq!(world.states_of_devices().await, (75, 0, 26));

    refuse_to_bring_back(&world, false).await;
    until("they are back", async || (world.states_of_devices().await == (75, 26, 0)).then_some(()))
        .await;
    let told = log.about("brake.engaged");
    assert_eq!((told.len(), &told[0]["level"]), (1, &"ERROR".into()), "{told:?}");
    let failed = [log.about("brake.not_stored"), log.about("brake.unread")].concat();
    assert_eq!(failed.len(), 1, "{failed:?}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_long_ago_does_not_pull_the_brake_nor_come_back() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    register_iphones(&server, 30).await;
    notify_users(&server, 6).await;
    register_bad(&server, 0..10).await;
    notify(&server).await;
    world.clock.advance(Duration::from_secs(17 * 60));
    notify_users(&server, 6).await;
    register_bad(&server, 10..20).await;
    notify(&server).await;
    assert_eq!(world.metric(ENGAGED, &[]).await, 0.0, "40 pushes in each window");
    assert_eq!(world.states_of_devices().await, (30, 0, 20));
    register_bad(&server, 20..30).await;
    notify(&server).await;
    world.until_metric(ENGAGED, &[], 1.0).await;
    assert_eq!(world.states_of_devices().await, (30, 20, 10));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_project_costs_no_device_and_shows() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for number in 0..60 {
        let phone = Phone::android(&format!("nottopic-{number}"));
        server.register_phone(User::number(100 + number / 5), &phone).await;
    }
    notify_users(&server, 12).await;
    world.until_metric(ENGAGED, &["provider=\"fcm\"", "app=\"sandbox\""], 1.0).await;
    assert_eq!(world.states_of_devices().await, (0, 60, 0));
    assert_eq!(world.arrived(), (0, 60));
    let told = world.done(&["brake", "release", "fcm", "sandbox", "--restore"]).await;
    assert_eq!(told, "60 devices of fcm sandbox restored. The brake is off.\n");
    until_it_counts("the brake is off", async || {
        (world.metric(ENGAGED, &[]).await == 0.0).then_some(())
    })
    .await;
    notify_users(&server, 1).await;
    assert_eq!(world.arrived(), (0, 65), "they are tried again");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_turns_it_off_gets_what_the_protocol_says() {
    let world = World::start("push.brake.enabled = false").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    register_iphones(&server, 60).await;
    refuse_all(&world, Some("BadDeviceToken"));
    notify_users(&server, 12).await;
    assert_eq!(world.states_of_devices().await, (0, 0, 60));
    assert_eq!(world.metric(ENGAGED, &[]).await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_what_it_does_not_do() {
    let world = World::start("").await;
    let unknown = world.command(&["brake", "release", "apns", "nothing", "--restore"]).await;
    assert_eq!((unknown.code, unknown.text.as_str()), (3, ""));
    assert!(unknown.complaint.contains("help: `push-bouncer brake status`"), "{unknown:?}");
    let undecided = world.command(&["brake", "release", "apns", "sandbox"]).await;
    assert_eq!(undecided.code, 2);
    assert!(undecided.complaint.contains("--restore|--expire"), "{undecided:?}");
    let both = ["brake", "release", "apns", "sandbox", "--restore", "--expire"];
    assert_eq!(world.command(&both).await.code, 2);
    let nothing = ["brake", "release", "fcm", "sandbox", "--restore", "--json"];
    let told = world.command(&nothing).await;
    assert_eq!((told.code, &told.json()["released"]), (0, &false.into()));
    let status = world.done(&["brake", "status"]).await;
    assert_eq!(status.lines().count(), 3, "{status}");
    assert!(status.lines().skip(1).all(|line| line.contains(" off ")), "{status}");
    world.shutdown().await;
}
