//! Registration in the mode `approval`.

use serde_json::json;

use super::{REALM, notify};
use crate::world::{Registered, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_waits_for_approval_can_do_everything_but_push() {
    let world = World::start("registration.mode = \"approval\"\n").await;
    let server = world.new_chat_server("chat.selfhosted.test");
    assert_eq!(server.register().await, Registered::Created);
    assert_eq!(server.register().await, Registered::Updated);
    let uploaded = server.upload_realm(REALM).await;
    assert_eq!(uploaded["realms"][REALM]["can_push"], false);
    let (status, reason) = notify(&server, Some(REALM)).await;
    assert_eq!(status, 400);
    let reason = reason.as_str().unwrap();
    assert!(reason.ends_with("The registration waits for the operator's approval"), "{reason}");

    let told = world.done(&["server", "approve", "chat.selfhosted.test"]).await;
    assert_eq!(told, "chat.selfhosted.test may push now.\n");
    let may = json!({"can_push": true, "expected_end_timestamp": null});
    until("the approval counts", async || {
        (notify(&server, Some(REALM)).await == (200, may.clone())).then_some(())
    })
    .await;
    let told = world.done(&["server", "approve", "chat.selfhosted.test"]).await;
    assert_eq!(told, "chat.selfhosted.test was approved before.\n");
    world.shutdown().await;
}
