//! What Apple and Google know the bouncer by: other keys, wrong clocks, revoked tokens, and no push lost.

use std::{fs, path::PathBuf};

use push_bouncer::sandbox::apns::AppleKey;

use crate::world::{ChatServer, IAGO, Phone, Stage, World};

mod certificates;
mod clocks;
mod google;
mod process;
mod rotation;
mod teams;

const APPLE_PUSHES: &str = "push_bouncer_pushes_total";
const REFRESHES: &str = "push_bouncer_credential_refreshes_total";
const EXPIRY: &str = "push_bouncer_credential_expiry_timestamp_seconds";

/// The file that the surroundings keep Apple's key in.
fn key_file(stage: &Stage) -> PathBuf {
    stage.surroundings.config_file().with_file_name("AuthKey_SANDBOXKEY.p8")
}

/// A fresh key of the team, by this name.
fn apple_key(key_id: &str) -> AppleKey {
    AppleKey::generate("SANDBOXTEA", key_id).unwrap()
}

/// Lets the server use this key; Apple has to be told which keys it knows.
fn give(stage: &Stage, key: &AppleKey) {
    fs::write(key_file(stage), key.private_key_pem()).unwrap();
}

/// A chat server at which Iago has an Apple phone.
async fn with_iphone(world: &World) -> ChatServer {
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("iphone")).await;
    server
}

/// How many pushes to Apple ended well, and how many otherwise.
async fn pushes_to_apple(world: &World) -> (f64, f64) {
    let all = world.metric(APPLE_PUSHES, &["provider=\"apns\""]).await;
    let good = world.metric(APPLE_PUSHES, &["provider=\"apns\"", "outcome=\"accepted\""]).await;
    (good, all - good)
}

/// How often Apple's fake refused, by the reason.
fn refused(world: &World, reason: &str) -> u64 {
    world.surroundings.apns.counters().refused.get(reason).copied().unwrap_or(0)
}
