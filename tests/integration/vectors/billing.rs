//! V151: the link to the page about plans.

use serde_json::{Value, json};

use super::{MISMATCH, R1, R2, UNKNOWN_REALM, refusal, said, two_servers};
use crate::world::ChatServer;

#[tokio::test(flavor = "multi_thread")]
async fn v151_a_link_is_given_for_a_realm_of_the_server_only() {
    let (world, server, neighbour) = two_servers("").await;
    server.upload_realm(R1).await;
    neighbour.upload_realm(R2).await;
    let (status, answer) = ask(&server, R1).await;
    assert_eq!((status, answer["result"].as_str()), (200, Some("success")));
    let url = answer["billing_access_url"].as_str().unwrap();
    assert!(url.starts_with("https://push.sandbox.test/remote-billing-login/"), "{url}");

    let unknown = refusal(403, "MISSING_REMOTE_REALM", "Organization not registered");
    assert_eq!(ask(&server, UNKNOWN_REALM).await, unknown);
    let mismatch = refusal(403, "REMOTE_REALM_SERVER_MISMATCH_ERROR", MISMATCH);
    assert_eq!(ask(&server, R2).await, mismatch);
    world.shutdown().await;
}

async fn ask(server: &ChatServer, realm: &str) -> (u16, Value) {
    let user = json!({"uuid": "5f0c2d8e-6a43-4c58-9a4b-1f0f7b8c2d11", "email": "iago@selfhosted.test", "full_name": "Iago"});
    let realm = json!({
        "id": 2, "uuid": realm, "uuid_owner_secret": "secret", "host": "s1.selfhosted.test",
        "url": "https://s1.selfhosted.test", "date_created": 1_700_000_000.5, "deactivated": false,
    });
    let fields = [("user", user.to_string()), ("realm", realm.to_string())];
    said(&server.form("server/billing", &fields).await)
}
