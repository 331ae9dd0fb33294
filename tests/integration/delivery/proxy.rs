//! The way to the push services: names, addresses and proxies.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::world::{ChatServer, IAGO, Phone, World, message, to, until};

mod names;
mod refusals;
mod relay;
mod through;
mod tinyproxy;

/// Between two notifications while something is waited for: far below a server's limit.
const PAUSE: Duration = Duration::from_millis(100);

/// Settings for a world that ends with pushes that cannot be sent.
const ENDS_SOON: &str = "http.shutdown_grace = \"1s\"\n";

/// A chat server at which Iago has one phone of Apple's.
async fn with_iphone(world: &World) -> ChatServer {
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("iphone")).await;
    server
}

/// A message with a number of its own: a notification that nobody has sent before.
fn numbered(number: u64) -> Value {
    let mut message = message();
    message["gcm_payload"]["zulip_message_id"] = number.into();
    message["apns_payload"]["custom"]["zulip"]["message_ids"] = serde_json::json!([number]);
    to(IAGO, message)
}

/// Sends a message with this number until it has reached Apple.
async fn push(world: &World, server: &ChatServer, number: u64) {
    let body = numbered(number);
    let ids = &body["apns_payload"]["custom"]["zulip"]["message_ids"];
    until("the push arrives", async || {
        server.notify(&body).await;
        let arrived = world.pushes();
        let is_there = arrived.iter().any(|push| push.body["zulip"]["message_ids"] == *ids);
        if !is_there {
            sleep(PAUSE).await;
        }
        is_there.then_some(())
    })
    .await;
}

/// How many attempts to connect to Apple ended so.
async fn connects(world: &World, result: &str) -> f64 {
    let result = format!("result=\"{result}\"");
    let labels = ["provider=\"apns\"", &result];
    world.metric("push_bouncer_provider_connects_total", &labels).await
}

/// Waits until an attempt to connect to Apple has ended so.
async fn until_connect(world: &World, result: &str) {
    until(result, async || (connects(world, result).await > 0.0).then_some(())).await;
}
