//! The protocol's test vectors, each with its number and the whole answer it demands.

use push_bouncer::sandbox::remote_server::Reply;
use serde_json::{Value, json};

use crate::world::{ChatServer, World};

mod analytics;
mod authentication;
mod billing;
mod e2ee;
mod gate;
mod payloads;
mod provider_failures;
mod push_notify;
mod push_register;
mod push_unregister;
mod register_refusals;
mod server_register;
mod test_notification;
mod transfer;
mod transport;
mod users_and_plans;

/// The first server's realm.
const R1: &str = "7d6e5f40-1111-4222-8333-444455556666";

/// The second server's realm.
const R2: &str = "2d6e5f40-1111-4222-8333-444455556666";

/// A realm of no server.
const UNKNOWN_REALM: &str = "0d6e5f40-1111-4222-8333-444455556666";

const MISMATCH: &str = "Your organization is registered to a different Zulip server. Please contact Zulip support for assistance in resolving this issue.";

/// A world with one server.
async fn one_server(settings: &str) -> (World, ChatServer) {
    let world = World::start(settings).await;
    let server = world.chat_server("s1.selfhosted.test").await;
    (world, server)
}

/// A world with two servers.
async fn two_servers(settings: &str) -> (World, ChatServer, ChatServer) {
    let (world, server) = one_server(settings).await;
    let neighbour = world.chat_server("s2.selfhosted.test").await;
    (world, server, neighbour)
}

/// The status and the body of a reply.
fn said(reply: &Reply) -> (u16, Value) {
    assert_eq!(reply.headers.get("content-type").unwrap(), "application/json");
    (reply.status.as_u16(), reply.json.clone())
}

/// Success without data.
fn success() -> (u16, Value) {
    (200, json!({"result": "success", "msg": ""}))
}

/// Success without data for a form, in which chat servers send `server_uuid` for nobody.
fn form_success() -> (u16, Value) {
    let ignored = ["server_uuid"];
    (200, json!({"result": "success", "msg": "", "ignored_parameters_unsupported": ignored}))
}

/// Success of a notify without a known realm.
fn notified(android: u64, apple: u64, deleted_android: &[&str], deleted_apple: &[&str]) -> Value {
    json!({
        "result": "success", "msg": "", "realm": null,
        "total_android_devices": android, "total_apple_devices": apple,
        "deleted_devices": {"android_devices": deleted_android, "apple_devices": deleted_apple},
    })
}

/// A refusal of a request in which something is wrong.
fn bad_request(message: &str) -> (u16, Value) {
    refusal(400, "BAD_REQUEST", message)
}

/// A refusal.
fn refusal(status: u16, code: &str, message: &str) -> (u16, Value) {
    (status, json!({"result": "error", "msg": message, "code": code}))
}
