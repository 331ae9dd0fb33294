//! Pushes that a notification asks for and nobody sends: they are counted all the same.

use serde_json::{Value, json};

use super::{until_outcomes, with_phones};
use crate::world::{IAGO, Phone, World, to};

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_to_whose_kind_nothing_is_said_has_an_outcome_too() {
    let phones = [Phone::apple("iphone"), Phone::android("android")];
    let (world, server) = with_phones("", &phones).await;
    let payload = json!({"alert": {"title": "Cordelia", "body": "Hello"}});
    let answer = server.notify(&to(IAGO, json!({"apns_payload": payload}))).await;
    assert_eq!(answer["total_android_devices"], 1);
    assert_eq!(world.arrived(), (1, 0));
    let labels = ["provider=\"fcm\"", "app=\"none\"", "outcome=\"not_addressed\""];
    world.until_metric("push_bouncer_pushes_total", &labels, 1.0).await;
    world.until_metric("push_bouncer_pushes_total", &[], 2.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_pushes_beyond_a_thousand_are_counted() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    // Of devices that are not held: none is sent, and those that are looked for have no outcome.
    let pushes: Vec<Value> =
        (0..1003).map(|number| Phone::android("android").push_of_11(number, "AA==")).collect();
    server.notify_encrypted(REALM, &pushes).await;
    until_outcomes(&world, "too_many", 3.0).await;
    world.until_metric("push_bouncer_pushes_total", &[], 3.0).await;
    world.shutdown().await;
}
