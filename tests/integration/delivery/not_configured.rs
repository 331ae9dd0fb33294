//! Devices that the operator has no credentials for: their pushes come to an end like all others, and are counted.

use serde_json::json;

use super::{accepted, until_outcomes};
use crate::world::{ChatServer, IAGO, Phone, Stage, TOPICS, World, message, to, until};

const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

/// A world without a Firebase project, and with credentials for the first of Apple's topics only.
async fn with_one_app() -> (World, ChatServer) {
    let stage = Stage::set("").await;
    let all = format!("{TOPICS:?}");
    let config: String = stage
        .surroundings
        .config()
        .lines()
        .filter(|line| !line.starts_with("fcm."))
        .map(|line| line.replace(&all, &format!("{:?}", &TOPICS[..1])) + "\n")
        .collect();
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    (world, server)
}

fn phones() -> [Phone; 3] {
    let other = Phone { app_id: TOPICS[1], ..Phone::apple("other app") };
    [Phone::apple("iphone"), other, Phone::android("android")]
}

/// Each of `notifications` to all three phones has come to its end, and is counted once.
async fn assert_counted(world: &World, notifications: f64) {
    until("all have come to their end", async || {
        let ended = world.metric("push_bouncer_pushes_total", &[]).await;
        (ended == 3.0 * notifications).then_some(())
    })
    .await;
    for provider in ["apns", "fcm"] {
        let provider = format!("provider=\"{provider}\"");
        let labels = [provider.as_str(), "app=\"none\"", "outcome=\"not_configured\""];
        let counted = world.metric("push_bouncer_pushes_total", &labels).await;
        assert_eq!(counted, notifications, "{provider}");
    }
    until_outcomes(world, "accepted", notifications).await;
    let partial = ["result=\"partial\""];
    world.until_metric("push_bouncer_notifications_total", &partial, notifications).await;
    assert_eq!(world.arrived(), (notifications as usize, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_in_the_clear_to_phones_that_no_credential_reaches_are_counted_and_the_phones_stay()
{
    let (world, server) = with_one_app().await;
    for phone in phones() {
        server.register_phone(IAGO, &phone).await;
    }
    let answer = server.notify(&to(IAGO, message())).await;
    assert_eq!(
        (&answer["total_android_devices"], &answer["total_apple_devices"]),
        (&1.into(), &2.into())
    );
    assert_eq!(answer["deleted_devices"], json!({"android_devices": [], "apple_devices": []}));
    assert_counted(&world, 1.0).await;

    // What only a Firebase project would refuse is nobody's business here.
    let mut odd = to(IAGO, message());
    odd["gcm_options"] = json!({"priority": "none"});
    server.notify(&odd).await;
    assert_counted(&world, 2.0).await;
    assert_eq!(server.phones_of(IAGO).await, (1, 2));
    assert_eq!(accepted(&world, &phones()[0]), 2);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_encrypted_pushes_and_they_do_not_count_as_sent() {
    let (world, server) = with_one_app().await;
    server.upload_realm(REALM).await;
    let app = world.app_build().await;
    let phones = phones();
    for phone in &phones {
        server.register_sealed(REALM, &app, phone, world.seconds()).await;
    }
    let pushes = phones.each_ref().map(|phone| phone.push("AA=="));
    let answer = server.notify_encrypted(REALM, &pushes).await;
    assert_eq!(answer["apple_successfully_sent_count"], 1);
    assert_eq!(answer["android_successfully_sent_count"], 0);
    assert_eq!(answer["delete_token_ids"], json!([]));
    assert_counted(&world, 1.0).await;
    world.shutdown().await;
}
