//! V73, V74 and V86: what a server is told that may not push, and what it may do all the same.

use serde_json::Value;

use super::{one_server, refusal, said, success, test_notification};
use crate::world::{ChatServer, IAGO, Phone, World, message, to};

/// Under this rule a server that never uploaded how many users it has may not push.
const SETTINGS: &str = "entitlement.policy = \"user-limit\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn v073_a_server_since_8_0_learns_why_it_may_not_push() {
    let (world, server) = with_android().await;
    let upload =
        [("realm_counts", "[]"), ("installation_counts", "[]"), ("api_feature_level", "300")];
    let upload = upload.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(said(&server.form("server/analytics", &upload).await).0, 200);

    let message = "Your plan doesn't allow sending push notifications. Reason provided by the server: Missing data";
    let refused = refusal(400, "PUSH_NOTIFICATIONS_DISALLOWED", message);
    assert_eq!((notify(&server).await, world.arrived()), (refused, (0, 0)));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v074_a_server_before_8_0_is_told_in_the_only_way_it_knows() {
    let (world, server) = with_android().await;
    let message = "Your plan doesn't allow sending push notifications.";
    let refused = refusal(400, "INVALID_ZULIP_SERVER", message);
    assert_eq!((notify(&server).await, world.arrived()), (refused, (0, 0)));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v086_a_test_is_sent_also_for_a_server_that_may_not_push() {
    let (world, server) = with_android().await;
    assert_eq!(notify(&server).await.0, 400);
    assert_eq!(test_notification::to_android(&server).await, success());
    assert_eq!(world.arrived(), (0, 1));
    world.shutdown().await;
}

async fn with_android() -> (World, ChatServer) {
    let (world, server) = one_server(SETTINGS).await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    (world, server)
}

async fn notify(server: &ChatServer) -> (u16, Value) {
    said(&server.json("push/notify", &to(IAGO, message())).await)
}
