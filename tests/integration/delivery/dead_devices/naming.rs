//! Which devices a chat server is told to delete: never one that may come back.

use entities::redacted::{RedactedBytes, RedactedText};
use push_bouncer::domain::device::DeviceToken;
use sea_orm::{ActiveModelTrait as _, ActiveValue::NotSet, IntoActiveModel as _, Set};
use serde_json::json;

use super::*;
use crate::world::AppBuild;

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

/// What a server is told to delete when it lists these Apple phones of Iago.
async fn named(server: &ChatServer, listed: &[&Phone]) -> Value {
    let mut body = to(IAGO, json!({}));
    body["apple_devices"] = listed.iter().map(|phone| phone.token.as_str()).collect();
    server.notify(&body).await["deleted_devices"]["apple_devices"].clone()
}

/// Makes Apple's fake call so many phones bad that the brake is on.
async fn engage(world: &World, server: &ChatServer) {
    refuse_all(world, Some("BadDeviceToken"));
    for number in 0..50 {
        let phone = Phone::apple(&format!("iphone-{number}"));
        server.register_phone(User::number(1), &phone).await;
    }
    server.notify(&to(User::number(1), message())).await;
    refuse_all(world, None);
    world.until_metric("push_bouncer_token_brake_engaged", &[], 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_brake_is_on_only_the_dead_are_named() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    let (dead, bad, unknown) =
        (Phone::apple("dead"), Phone::apple("badtok"), Phone::apple("unknown"));
    for phone in [&dead, &bad] {
        server.register_phone(IAGO, phone).await;
    }
    notify(&server).await;
    // Older than the window: it does not come back.
    world.clock.advance(Duration::from_secs(20 * 60));
    let all = [&dead, &bad, &unknown];
    let sorted = |phones: &[&Phone]| {
        let mut tokens: Vec<&str> = phones.iter().map(|phone| phone.token.as_str()).collect();
        tokens.sort_unstable();
        json!(tokens)
    };
    assert_eq!(named(&server, &all).await, sorted(&all), "all that we do not hold");

    engage(&world, &server).await;
    assert_eq!(
        named(&server, &all).await,
        sorted(&[&dead]),
        "neither the doubtful nor the unknown"
    );
    assert_eq!(named(&neighbour, &all).await, json!([]), "of this server there is no tombstone");
    let mut android = to(IAGO, json!({}));
    android["android_devices"] = json!(["unknown"]);
    let answer = server.notify(&android).await;
    assert_eq!(
        answer["deleted_devices"]["android_devices"],
        json!(["unknown"]),
        "Google's are free"
    );

    // Another user of the server has the phone now: the server would delete it for him, too.
    server.register_phone(User::other(), &dead).await;
    assert_eq!(named(&server, &all).await, json!([]));

    world.done(&["brake", "release", "apns", "sandbox", "--restore"]).await;
    until_it_counts("all are named again", async || {
        (named(&server, &all).await == sorted(&all)).then_some(())
    })
    .await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_our_memory_has_holes_only_tombstones_are_named() {
    let world = World::start("compat.report_deleted_devices = \"tombstones\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let app = world.app_build().await;
    let (bad, unknown) = (Phone::apple("badtok"), Phone::apple("unknown"));
    server.register_phone(IAGO, &bad).await;
    notify(&server).await;
    assert_eq!(named(&server, &[&bad, &unknown]).await, json!([bad.token]));

    let pushes = [bad.push("AA=="), unknown.push("AA==")];
    server.register_sealed(REALM, &app, &bad, world.seconds()).await;
    for _ in 0..2 {
        let answer = server.notify_encrypted(REALM, &pushes).await;
        assert_eq!(answer["delete_token_ids"], json!([bad.token_id()]));
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_devices_are_kept_and_not_named_while_the_brake_is_on() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let app = world.app_build().await;
    let phones: Vec<Phone> =
        (0..60).map(|number| Phone::apple(&format!("iphone-{number}"))).collect();
    register_sealed(&world, &server, &app, &phones).await;
    let mut pushes: Vec<Value> = phones.iter().map(|phone| phone.push("AA==")).collect();
    refuse_all(&world, Some("DeviceTokenNotForTopic"));
    let answer = server.notify_encrypted(REALM, &pushes).await;
    assert_eq!(answer["delete_token_ids"], json!([]), "those that went are back");
    let states = async || {
        let rows = e2ee_devices::Entity::find().all(&world.database().await).await.unwrap();
        let expired = rows.iter().filter(|row| row.expired_at.is_some()).count();
        let suspects = rows.iter().filter(|row| row.suspected_at.is_some()).count();
        (suspects, expired)
    };
    assert_eq!(states().await, (60, 0));

    let (dead, unknown) = (Phone::apple("dead"), Phone::apple("unknown"));
    refuse_all(&world, None);
    register_sealed(&world, &server, &app, std::slice::from_ref(&dead)).await;
    pushes.truncate(10);
    pushes.extend([dead.push("AA=="), unknown.push("AA==")]);
    let answer = server.notify_encrypted(REALM, &pushes).await;
    assert_eq!(answer["delete_token_ids"], json!([dead.token_id()]));
    assert_eq!(answer["apple_successfully_sent_count"], 10);
    assert_eq!(states().await, (50, 1));
    let told = world.done(&["brake", "release", "apns", "sandbox", "--expire"]).await;
    assert_eq!(told, "50 devices of apns sandbox expired. The brake is off.\n");
    assert_eq!(states().await, (0, 51));
    world.shutdown().await;
}

async fn register_sealed(world: &World, server: &ChatServer, app: &AppBuild, phones: &[Phone]) {
    for phone in phones {
        server.register_sealed(REALM, app, phone, world.seconds()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_another_process_has_stored_just_now_is_not_named() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let (known, new) = (Phone::apple("known"), Phone::apple("new"));
    server.register_phone(IAGO, &known).await;
    assert_eq!(named(&server, &[&known, &new]).await, json!([new.token]));
    // What is in memory of Iago's phones from now on does not hold it.
    let mut row = only_device(&world).await.into_active_model();
    row.id = NotSet;
    row.token = Set(RedactedText(new.token.clone()));
    let token = DeviceToken::from_stored(&new.token);
    row.token_digest = Set(RedactedBytes(token.digest().to_vec()));
    row.insert(&world.database().await).await.unwrap();
    assert_eq!(named(&server, &[&known, &new]).await, json!([]), "it is looked up again");
    let unknown = Phone::apple("unknown");
    assert_eq!(named(&server, &[&known, &unknown]).await, json!([unknown.token]));
    world.shutdown().await;
}
