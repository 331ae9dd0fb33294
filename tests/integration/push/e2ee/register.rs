//! `POST push/e2ee/register`: what is remembered of a sealed registration.

use std::{process::Command, time::Duration};

use entities::{e2ee_devices, redacted::RedactedBytes, registration_key_uses, registration_keys};
use futures_util::future::join_all;
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde_json::{Value, json};

use super::{REALM, with_realm};
use crate::world::{AppBuild, ChatServer, Phone, TOPICS, World, until};

async fn devices(world: &World) -> Vec<e2ee_devices::Model> {
    e2ee_devices::Entity::find().all(&world.database().await).await.unwrap()
}

/// Brings a phone's registration as Zulip 11 does; gives the status and the whole answer.
async fn bring_11(
    server: &ChatServer,
    app: &AppBuild,
    account: &str,
    phone: &Phone,
    timestamp: i64,
) -> (u16, Value) {
    let fields = [
        ("realm_uuid", REALM.to_owned()),
        ("push_account_id", account.to_owned()),
        ("encrypted_push_registration", app.seal_phone(phone, timestamp)),
        ("bouncer_public_key", app.public_key.clone()),
    ];
    server.bring_fields(&fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_again_refreshes_the_app_and_an_older_registration_does_not() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let phone = Phone::apple("iphone");
    let (old, now) = (world.seconds() - 100, world.seconds());
    server.register_sealed(REALM, &app, &phone, old).await;
    let moved = Phone { app_id: TOPICS[1], ..phone.clone() };
    server.register_sealed(REALM, &app, &moved, now).await;
    server.register_sealed(REALM, &app, &phone, old).await;

    let devices = devices(&world).await;
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].ios_app_id.as_deref(), Some(TOPICS[1]));
    assert_eq!(devices[0].registered_at, now * 1000);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_registration_does_not_wake_a_dead_device_and_a_new_one_does() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let phone = Phone::android("dead");
    let made_at = world.seconds();
    server.register_sealed(REALM, &app, &phone, made_at).await;
    world.clock.advance(Duration::from_secs(60));
    server.notify_encrypted(REALM, &[phone.push("AA==")]).await;
    assert!(devices(&world).await[0].expired_at.is_some());

    server.register_sealed(REALM, &app, &phone, made_at).await;
    server.register_sealed(REALM, &app, &phone, made_at + 30).await;
    assert!(devices(&world).await[0].expired_at.is_some(), "made before it died");

    world.clock.advance(Duration::from_secs(60));
    server.register_sealed(REALM, &app, &phone, world.seconds()).await;
    let revived = &devices(&world).await[0];
    assert_eq!(revived.expired_at, None);
    assert!(revived.registered_at > made_at * 1000);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_case_of_an_apple_token_makes_another_device_with_another_id() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let lower = Phone::apple("iphone");
    let upper = Phone { token: lower.token.to_uppercase(), ..lower.clone() };
    for phone in [&lower, &upper] {
        server.register_sealed(REALM, &app, phone, world.seconds()).await;
    }
    assert_eq!(devices(&world).await.len(), 2, "a hash is over the text");
    server.notify_encrypted(REALM, &[upper.push("AA==")]).await;
    assert_eq!(world.pushes()[0].token, lower.token, "Apple gets lower case");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_many_times_at_once_makes_one_device() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let phone = Phone::apple("iphone");
    let now = world.seconds();
    join_all((0..24).map(|_| server.register_sealed(REALM, &app, &phone, now))).await;
    assert_eq!(devices(&world).await.len(), 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zulip_11_gets_a_device_id_and_always_the_same() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    let now = world.seconds();
    let first = bring_11(&server, &app, "10", &iphone, now).await;
    let device_id = first.1["device_id"].as_i64().expect("a number");
    assert_eq!(first, (200, json!({"result": "success", "msg": "", "device_id": device_id})));
    assert_eq!(bring_11(&server, &app, "10", &iphone, now).await, first);
    for (account, phone) in [("11", &iphone), ("10", &android)] {
        let other = bring_11(&server, &app, account, phone, now).await;
        assert_eq!(other.0, 200);
        assert_ne!(other.1["device_id"], first.1["device_id"]);
    }
    // Both accounts, and Zulip 12: three rows of one token.
    server.register_sealed(REALM, &app, &iphone, now).await;
    assert_eq!(devices(&world).await.len(), 4);
    let wrong = bring_11(&server, &app, "ten", &iphone, now).await;
    assert_eq!((wrong.0, &wrong.1["msg"]), (400, &json!("push_account_id is not valid JSON")));
    let expired = bring_11(&server, &app, "10", &iphone, now - 90_000).await;
    assert_eq!(expired.1["code"], "REQUEST_EXPIRED");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_missing_are_named_in_their_order() {
    let world = World::start("").await;
    let (server, _) = with_realm(&world).await;
    let all = [
        ("realm_uuid", REALM.to_owned()),
        ("token_id", String::new()),
        ("encrypted_push_registration", String::new()),
        ("bouncer_public_key", String::new()),
    ];
    for given in 0..all.len() {
        let reply = server.form("push/e2ee/register", &all[..given]).await;
        let missing = all[given].0;
        let expected = json!({
            "result": "error", "msg": format!("Missing '{missing}' argument"),
            "var_name": missing, "code": "REQUEST_VARIABLE_MISSING",
        });
        assert_eq!((reply.status.as_u16(), reply.json), (400, expected));
    }
    let mut malformed = all.clone();
    malformed[0].1 = "no uuid".to_owned();
    let reply = server.form("push/e2ee/register", &malformed).await;
    assert_eq!((reply.status.as_u16(), &reply.json["msg"]), (400, &json!("Invalid UUID")));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_keys_are_good_at_once_until_they_are_retired_and_uses_are_counted() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let keys = world.keys();
    let newer = AppBuild { public_key: keys.create().await.unwrap() };
    let phone = Phone::android("android");
    for app in [&app, &newer, &newer] {
        server.register_sealed(REALM, app, &phone, world.seconds()).await;
    }
    let database = world.database().await;
    let uses = until("the uses are written", async || {
        let uses = registration_key_uses::Entity::find().all(&database).await.unwrap();
        let uses: Vec<i64> = uses.iter().map(|row| row.uses).collect();
        (uses.iter().sum::<i64>() == 3).then_some(uses)
    });
    assert_eq!(uses.await, [1, 2]);

    let listed = keys.list().await.unwrap();
    assert_eq!(listed[1].public_key, newer.public_key);
    keys.retire(&listed[0]).await.unwrap();
    let sealed = app.seal_phone(&phone, world.seconds());
    let answer = server.bring(REALM, &phone.token_id(), &sealed, &app.public_key).await;
    assert_eq!(answer.1["code"], "INVALID_BOUNCER_PUBLIC_KEY");
    server.register_sealed(REALM, &newer, &phone, world.seconds()).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_opened_is_a_fault_of_ours() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let foreign = registration_keys::ActiveModel {
        sealed_private_key: Set(RedactedBytes(vec![7; 60])),
        ..Default::default()
    };
    let change = registration_keys::Entity::update_many().set(foreign);
    change.exec(&world.database().await).await.unwrap();
    world.announce("registration-keys").await;

    let phone = Phone::android("android");
    let sealed = app.seal_phone(&phone, world.seconds());
    let answer = until("the change is seen", async || {
        let answer = server.bring(REALM, &phone.token_id(), &sealed, &app.public_key).await;
        (answer.0 != 200).then_some(answer)
    });
    let (status, answer) = answer.await;
    assert_eq!((status, &answer["code"]), (503, &json!("UNAVAILABLE")), "a 4xx would be for good");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_the_command_line_is_good_within_a_second() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let phone = Phone::android("android");
    server.register_sealed(REALM, &app, &phone, world.seconds()).await;

    let made = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
        .args(["key", "registration", "create", "--config"])
        .arg(world.surroundings.config_file())
        .output()
        .unwrap();
    let public_key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let app = AppBuild { public_key };
    let sealed = app.seal_phone(&phone, world.seconds());
    until("the new key is known", async || {
        let answer = server.bring(REALM, &phone.token_id(), &sealed, &app.public_key).await;
        (answer.0 == 200).then_some(())
    })
    .await;
    world.shutdown().await;
}
