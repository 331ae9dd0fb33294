//! `push-bouncer db restored`: chat servers are told only of devices that are known to be gone.

use std::time::Duration;

use serde_json::json;

use crate::world::{IAGO, Phone, World, message, to, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_hides_unknown_devices_for_thirty_days() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("dead")).await;
    let deleted = async || {
        let mut body = to(IAGO, message());
        body["android_devices"] = json!(["dead", "forgotten"]);
        server.notify(&body).await["deleted_devices"]["android_devices"].clone()
    };
    until("the first is known to be gone", async || {
        (deleted().await == json!(["dead", "forgotten"])).then_some(())
    })
    .await;

    world.done(&["db", "restored"]).await;

    until("the other is not named", async || (deleted().await == json!(["dead"])).then_some(()))
        .await;
    // The command's clock is an hour behind the server's at most.
    world.clock.advance(Duration::from_secs(29 * 24 * 60 * 60 - 7200));
    assert_eq!(deleted().await, json!(["dead"]));
    world.clock.advance(Duration::from_secs(24 * 60 * 60 + 2 * 7200));
    assert_eq!(deleted().await, json!(["dead", "forgotten"]), "it ends by itself");
    world.shutdown().await;
}
