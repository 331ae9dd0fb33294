//! Vector 105: who may not push is told by the newer code, whatever its version.

use serde_json::json;

use super::{Cast, R1, example};

#[tokio::test(flavor = "multi_thread")]
async fn v105_a_refusal_by_plan_never_blames_the_server() {
    let cast = Cast::assemble("entitlement.policy = \"user-limit\"").await;
    let body = json!({"realm_uuid": R1, "push_requests": [example().push("AA==")]});
    let reply = cast.s1.json("push/e2ee/notify", &body).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json["code"], "PUSH_NOTIFICATIONS_DISALLOWED");
    assert_eq!(
        reply.json["msg"],
        "Your plan doesn't allow sending push notifications. \
         Reason provided by the server: Missing data"
    );
    assert_eq!(cast.world.arrived(), (0, 0));
    cast.world.shutdown().await;
}
