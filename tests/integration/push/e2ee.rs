//! `push/e2ee/…`: what the bouncer does for devices whose notifications it cannot read.

use crate::world::{AppBuild, ChatServer, World};

mod notify;
mod register;

/// The realm of the tests.
const REALM: &str = "7d6e5f40-1111-4222-8333-444455556666";

/// A chat server with a realm, and an app that seals for the bouncer.
async fn with_realm(world: &World) -> (ChatServer, AppBuild) {
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    (server, world.app_build().await)
}
