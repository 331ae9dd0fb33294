//! Connections to the push services: what becomes of pushes when they end, fill up or fall silent.

mod answers;
mod fairness;
mod headers;
mod life;
mod limits;
mod peer;
mod pool;

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use self::peer::{Line, Peer};
use crate::world::{ChatServer, IAGO, Phone, Stage, World, message, to, until};

/// A bouncer whose push services are a peer that follows `script`, and a chat server where Iago has an
/// iPhone.
async fn beside(
    settings: &str,
    streams: u32,
    script: impl Fn(&Arc<Line>, u32, usize) + Send + Sync + 'static,
) -> (World, ChatServer, Peer) {
    // What the peer never takes is not waited for at the end.
    let stage = Stage::set(&format!("http.shutdown_grace = \"1s\"\n{settings}")).await;
    let tls = stage.surroundings.authority().server_config(&["127.0.0.1"], &[b"h2"]);
    let peer = Peer::start(tls.unwrap(), streams, script).await;
    let config = stage.config_with_services_at(peer.address);
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("iphone")).await;
    (world, server, peer)
}

/// A notification that no other one repeats.
fn numbered(number: usize) -> Value {
    let mut body = to(IAGO, message());
    body["gcm_payload"]["zulip_message_id"] = number.into();
    body["apns_payload"]["custom"]["zulip"]["message_ids"] = vec![number].into();
    body
}

/// Sends notifications with these numbers, all at once.
async fn notify_all(server: &ChatServer, numbers: impl IntoIterator<Item = usize>) {
    let sending = numbers.into_iter().map(async |number| server.notify(&numbered(number)).await);
    join_all(sending).await;
}

/// How many pushes ended so.
async fn pushes(world: &World, outcome: &str) -> usize {
    let outcome = format!("outcome=\"{outcome}\"");
    let labels = ["provider=\"apns\"", &outcome];
    count(world.metric("push_bouncer_pushes_total", &labels).await)
}

async fn until_accepted(world: &World, expected: usize) {
    until("the pushes are accepted", async || {
        (pushes(world, "accepted").await >= expected).then_some(())
    })
    .await;
    assert_eq!(pushes(world, "accepted").await, expected);
}

/// How many connections are in this state.
async fn connections(world: &World, state: &str) -> usize {
    let state = format!("state=\"{state}\"");
    let labels = ["provider=\"apns\"", &state];
    count(world.metric("push_bouncer_provider_connections", &labels).await)
}

fn count(value: f64) -> usize {
    format!("{value}").parse().expect("a whole number")
}
