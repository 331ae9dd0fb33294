//! V128 and V146 to V150: servers that leave, numbers of users, plans.

use std::time::Duration;

use serde_json::{Value, json};

use super::{R1, one_server, refusal, said, success};
use crate::world::{ChatServer, IAGO, message, to, until_it_counts};

const USER_LIMIT: &str = "entitlement.policy = \"user-limit\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn v128_a_server_that_left_is_refused_everywhere() {
    let (world, server) = one_server("").await;
    assert_eq!(said(&server.json("server/deactivate", &json!({})).await), success());
    let message =
        "The mobile push notification service registration for your server has been deactivated";
    let refused = refusal(401, "UNAUTHORIZED", message);
    assert_eq!(said(&server.json("server/deactivate", &json!({})).await), refused);
    assert_eq!(notify(&server).await, refused);
    assert_eq!(said(&server.form("push/unregister/all", &[]).await), refused);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v146_with_eleven_users_and_no_plan_nobody_may_push() {
    let (world, server) = one_server(USER_LIMIT).await;
    assert_eq!(upload(&server, 1, 11, 0).await, status(false, None));
    let message = "Your plan doesn't allow sending push notifications. Reason provided by the server: \
        Push notifications access with 10+ users requires signing up for a plan.";
    assert_eq!(notify(&server).await, refusal(400, "PUSH_NOTIFICATIONS_DISALLOWED", message));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v147_guests_count_as_users_and_bots_do_not() {
    let (world, server) = one_server(USER_LIMIT).await;
    assert_eq!(upload(&server, 1, 10, 50).await, status(true, None));
    assert_eq!(notify(&server).await.0, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v148_a_number_of_users_is_believed_for_two_days() {
    let (world, server) = one_server(USER_LIMIT).await;
    upload(&server, 1, 10, 0).await;
    world.clock.advance(Duration::from_secs(2 * 24 * 60 * 60 - 60));
    assert_eq!(notify(&server).await.0, 200);
    world.clock.advance(Duration::from_secs(61));
    let message = "Your plan doesn't allow sending push notifications. Reason provided by the server: Missing data";
    assert_eq!(notify(&server).await, refusal(400, "PUSH_NOTIFICATIONS_DISALLOWED", message));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v149_a_community_may_push_whatever_its_size() {
    let (world, server) = one_server(USER_LIMIT).await;
    assert_eq!(upload(&server, 1, 500, 0).await, status(false, None));
    world.done(&["realm", "set-plan", R1, "community"]).await;
    may_push_then(&server).await;
    assert_eq!(upload(&server, 2, 500, 0).await, status(true, None));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v150_a_plan_that_ends_says_when() {
    let (world, server) = one_server(USER_LIMIT).await;
    assert_eq!(upload(&server, 1, 500, 0).await, status(false, None));
    let plan = ["set-plan", "s1.selfhosted.test", "business", "--ends", "2099-12-01"];
    world.done(&[&["server"], &plan[..]].concat()).await;
    may_push_then(&server).await;
    assert_eq!(upload(&server, 2, 500, 0).await, status(true, Some(4_099_766_400)));
    world.shutdown().await;
}

/// Uploads the realm and one audit row, in which a tenth of the people are guests; gives what is said of
/// the realm.
async fn upload(server: &ChatServer, row: i64, people: i64, bots: i64) -> Value {
    let guests = people / 10;
    let roles = json!({"100": 1, "200": 0, "300": 0, "400": people - 1 - guests, "600": guests});
    let row = json!({
        "id": row, "realm": 2, "event_time": 1_740_000_000.25, "backfilled": false,
        "extra_data": {"10": {"11": roles, "12": bots}}, "event_type": 101,
    });
    let answer = server.upload_realm_with(R1, &[("realmauditlog_rows", json!([row]))]).await;
    answer["realms"][R1].clone()
}

fn status(can_push: bool, end: Option<i64>) -> Value {
    json!({"can_push": can_push, "expected_end_timestamp": end})
}

async fn notify(server: &ChatServer) -> (u16, Value) {
    let mut body = message();
    body["realm_uuid"] = R1.into();
    said(&server.json("push/notify", &to(IAGO, body)).await)
}

/// A plan set by another process counts within a second.
async fn may_push_then(server: &ChatServer) {
    until_it_counts("the plan counts", async || (notify(server).await.0 == 200).then_some(()))
        .await;
}
