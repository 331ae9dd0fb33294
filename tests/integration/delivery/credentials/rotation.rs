//! Case 6 and rule 7: a key is revoked or replaced while pushes flow.

use std::{
    fs, slice,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::sleep;

use super::{EXPIRY, REFRESHES, apple_key, give, key_file, pushes_to_apple, refused, with_iphone};
use crate::{
    delivery::load::tell_times,
    world::{ChatServer, IAGO, Phone, Stage, World, message, to, until},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Few enough attempts that pushes of the app are not held back altogether.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// Pushes that have to go through before the next thing happens.
const A_FEW: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn case_06_a_revoked_key_costs_no_phone_and_a_new_file_is_enough() {
    let world = World::start("push.answer_within = \"500ms\"").await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    let key = apple_key("SANDBOXKEY");
    world.surroundings.apns.replace_keys(slice::from_ref(&key));

    server.notify(&to(IAGO, message())).await;

    assert!(refused(&world, "InvalidProviderToken") >= 1);
    assert_eq!(server.phones_of(IAGO).await, (0, 1), "the phone is not to blame");
    let connections = world.surroundings.apns.counters().connections;
    give(&world, &key);
    // Nobody says so: the file is looked at every few seconds.
    until("the new file is in use", async || {
        server.notify(&to(IAGO, message())).await;
        sleep(BETWEEN_ATTEMPTS).await;
        (world.surroundings.apns.counters().accepted > 1).then_some(())
    })
    .await;
    let renewals = world.metric(REFRESHES, &["kind=\"apns_jwt\"", "result=\"ok\""]).await;
    assert!(renewals > 1.0, "{renewals}");
    assert!(world.surroundings.apns.counters().connections > connections, "on a new connection");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_06_connections_are_closed_when_the_key_is_revoked() {
    let world = World::start("push.answer_within = \"500ms\"").await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    assert_eq!(world.surroundings.apns.counters().connections, 1);
    let others = apple_key("SANDBOXKEY");
    world.surroundings.apns.replace_keys(slice::from_ref(&others));
    server.notify(&to(IAGO, message())).await;
    assert!(refused(&world, "InvalidProviderToken") >= 1);

    server.notify(&to(IAGO, message())).await;

    until("the next push has a connection of its own", async || {
        (world.surroundings.apns.counters().connections >= 2).then_some(())
    })
    .await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_the_same_id_is_replaced_under_load_and_no_push_fails() {
    let stage = Stage::set_calmly("").await;
    let keys = ["SANDBOXKEY"; 2].map(apple_key);
    give(&stage, &keys[0]);
    stage.surroundings.apns.replace_keys(&keys[..1]);
    let config = stage.surroundings.config().to_owned();
    let world = stage.serve(&config).await;
    let server = with_iphone(&world).await;
    let load = Load::default();

    let story = async {
        load.a_few_more().await;
        give(&world, &keys[1]);
        let reloaded = world.reload(None).await;
        assert!(reloaded.failed.is_empty(), "{reloaded:?}");
        load.a_few_more().await;
        // Apple does not know the new key yet: the old one serves on, and the new one waits.
        assert_eq!(refused(&world, "InvalidProviderToken"), 1, "one push has tried it");
        assert!(world.credentials()[0].is_changing);
        world.surroundings.apns.replace_keys(&keys[1..]);
        load.a_few_more().await;
        assert!(!world.credentials()[0].is_changing);
        load.end();
    };
    tokio::join!(story, load.run(&server), load.run(&server), load.run(&server));

    assert_no_failure(&world, &load).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_another_id_is_taken_over_under_load_and_no_push_fails() {
    let stage = Stage::set_calmly("").await;
    let keys = ["SANDBOXKEY", "SECONDKEY2"].map(apple_key);
    give(&stage, &keys[0]);
    stage.surroundings.apns.replace_keys(&keys);
    let before = stage.surroundings.config().to_owned();
    let second = key_file(&stage).with_file_name("second.p8");
    fs::write(&second, keys[1].private_key_pem()).unwrap();
    let after = before
        .replace(&format!("{:?}", key_file(&stage)), &format!("{second:?}"))
        .replace("\"SANDBOXKEY\"", "\"SECONDKEY2\"");
    assert!(after.contains("second.p8") && after.contains("SECONDKEY2"));
    let world = stage.serve(&before).await;
    let server = with_iphone(&world).await;
    let load = Load::default();

    let story = async {
        load.a_few_more().await;
        let reloaded = world.reload(Some(&after)).await;
        assert_eq!((reloaded.renewed.len(), reloaded.restart.len()), (1, 0), "{reloaded:?}");
        load.a_few_more().await;
        let too_many = refused(&world, "TooManyProviderTokenUpdates");
        assert_eq!(too_many, 1, "one push has tried it, the rest of the step the old key serves");
        assert!(world.credentials()[0].is_changing);
        for _ in 0..12 {
            world.clock.advance(5 * MINUTE);
            load.a_few_more().await;
        }
        assert!(!world.credentials()[0].is_changing, "its turn has come");
        world.surroundings.apns.replace_keys(&keys[1..]);
        load.a_few_more().await;
        load.end();
    };
    tokio::join!(story, load.run(&server), load.run(&server), load.run(&server));

    assert_eq!(refused(&world, "UnrelatedKeyIdInToken"), 0, "a connection belongs to one key");
    assert_eq!(refused(&world, "InvalidProviderToken"), 0);
    assert!(refused(&world, "TooManyProviderTokenUpdates") <= 4);
    assert_no_failure(&world, &load).await;
    tell_times("a key is replaced under load", &server);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_and_a_night_without_pushes_the_metric_still_shows_when_the_token_ends() {
    let world = World::start("").await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    give(&world, &apple_key("SANDBOXKEY"));
    assert_eq!(world.reload(None).await.renewed, ["apns.sandbox"]);
    world.clock.advance(8 * 60 * MINUTE);
    until("the token that ended was renewed", async || {
        let ends = world.metric(EXPIRY, &["kind=\"apns_jwt\"", "name=\"sandbox\""]).await;
        #[expect(clippy::cast_precision_loss, reason = "2^53 seconds are long")]
        let now = world.seconds() as f64;
        (ends > now).then_some(())
    })
    .await;
    let credential = &world.credentials()[0];
    assert!(credential.ends_at.is_some_and(|end| end > world.clock.now()), "{credential:?}");
    assert_eq!((credential.is_changing, world.arrived().0), (true, 1), "nothing was sent");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_that_is_revoked_makes_room_for_the_new_one_at_once() {
    let stage = Stage::set_calmly("").await;
    let keys = ["SANDBOXKEY", "SANDBOXKEY"].map(apple_key);
    give(&stage, &keys[0]);
    stage.surroundings.apns.replace_keys(&keys[..1]);
    let config = stage.surroundings.config().to_owned();
    let world = stage.serve(&config).await;
    let server = with_iphone(&world).await;
    server.notify(&to(IAGO, message())).await;
    give(&world, &keys[1]);
    world.reload(None).await;
    server.notify(&to(IAGO, message())).await;
    world.surroundings.apns.replace_keys(&keys[1..]);

    // The new key was refused a moment ago, and is to wait; but there is no other one now.
    server.notify(&to(IAGO, message())).await;

    assert_eq!(pushes_to_apple(&world).await, (3.0, 0.0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_key_changes_nothing() {
    let world = World::start("").await;
    let server = with_iphone(&world).await;
    fs::write(key_file(&world), "-----BEGIN PRIVATE KEY-----\nhalf").unwrap();

    let reloaded = world.reload(None).await;

    assert_eq!(reloaded.failed, ["apns.sandbox"]);
    let failed = ["kind=\"apns_jwt\"", "result=\"failed\""];
    assert!((world.metric(REFRESHES, &failed).await - 1.0).abs() < 0.1);
    assert_eq!(world.reload(None).await.failed, ["apns.sandbox"], "it still is none");
    assert!((world.metric(REFRESHES, &failed).await - 1.0).abs() < 0.1, "it was told once");
    server.notify(&to(IAGO, message())).await;
    assert_eq!(pushes_to_apple(&world).await, (1.0, 0.0));
    world.shutdown().await;
}

/// Notifications one after the other, as long as the story lasts.
#[derive(Default)]
struct Load {
    begun: AtomicU64,
    sent: AtomicU64,
    is_over: AtomicBool,
}

impl Load {
    async fn run(&self, server: &ChatServer) {
        while !self.is_over.load(Ordering::Relaxed) {
            let mut notification = to(IAGO, message());
            // Each is another one, so that none is taken for a repetition.
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            notification["apns_payload"]["alert"]["body"] = number.to_string().into();
            server.notify(&notification).await;
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn a_few_more(&self) {
        let before = self.sent.load(Ordering::Relaxed);
        until("pushes go through", async || {
            (self.sent.load(Ordering::Relaxed) >= before + A_FEW).then_some(())
        })
        .await;
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

async fn assert_no_failure(world: &World, load: &Load) {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let sent = load.sent.load(Ordering::Relaxed) as f64;
    assert_eq!(pushes_to_apple(world).await, (sent, 0.0));
    let refusals = world.surroundings.apns.counters();
    assert_eq!(refusals.accepted, load.sent.load(Ordering::Relaxed), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_differs_in_more_waits_for_a_restart() {
    let world = World::start("").await;
    let config = world.surroundings.config();
    let other = config.replace("\"production\"", "\"sandbox\"") + "limits.ip.rate = \"9/min\"\n";
    let successful = async || {
        let name = "push_bouncer_config_last_reload_success";
        (
            world.metric(&format!("{name}ful"), &[]).await,
            world.metric(&format!("{name}_timestamp_seconds"), &[]).await,
        )
    };
    let (is_good, at) = successful().await;
    assert!(is_good > 0.5, "the start counts");
    world.clock.advance(MINUTE);
    let key = fs::read(key_file(&world)).unwrap();
    fs::write(key_file(&world), "no key").unwrap();
    assert_eq!(world.reload(Some(config)).await.failed, ["apns.sandbox"]);
    let (is_good, still) = successful().await;
    assert!(is_good < 0.5 && still <= at, "{is_good} {still} {at}");
    fs::write(key_file(&world), key).unwrap();

    let reloaded = world.reload(Some(&other)).await;
    let (is_good, later) = successful().await;
    assert!(is_good > 0.5 && later >= at + 60.0, "{is_good} {later} {at}");
    assert_eq!(reloaded.restart, ["apns.sandbox", "limits"]);
    assert!(reloaded.renewed.is_empty() && reloaded.failed.is_empty());
    let server = with_iphone(&world).await;
    server.register_phone(IAGO, &Phone::apple("second")).await;
    server.notify(&to(IAGO, message())).await;
    assert_eq!(pushes_to_apple(&world).await, (2.0, 0.0));
    world.shutdown().await;
}
