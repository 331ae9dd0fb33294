//! Vectors 87 to 108: end-to-end encryption.

use serde_json::json;

use crate::world::{AppBuild, ChatServer, Phone, World};

mod gate;
mod notify;
mod register;

/// The realm of the first server.
const R1: &str = "7d6e5f40-1111-4222-8333-444455556666";
/// The realm of the second.
const R2: &str = "7d6e5f40-2222-4222-8333-444455556666";

/// When the fixed text was sealed, in Unix seconds.
const FIXED_SEALED_AT: i64 = 1_700_000_000;

/// What the vectors speak of: two servers with a realm each, and an app that seals for the bouncer.
struct Cast {
    world: World,
    s1: ChatServer,
    s2: ChatServer,
    app: AppBuild,
}

impl Cast {
    async fn assemble(settings: &str) -> Self {
        Self::assemble_in(World::start(settings).await).await
    }

    /// The same so many seconds after the phone of the protocol's fixed text sealed it.
    async fn assemble_after(seconds: i64) -> Self {
        Self::assemble_in(World::start_at(FIXED_SEALED_AT + seconds, "").await).await
    }

    async fn assemble_in(world: World) -> Self {
        let s1 = world.chat_server("s1.selfhosted.test").await;
        s1.upload_realm(R1).await;
        let s2 = world.chat_server("s2.selfhosted.test").await;
        s2.upload_realm(R2).await;
        let app = world.app_build().await;
        Self { world, s1, s2, app }
    }

    /// Registers a phone with the first realm.
    async fn register(&self, phone: &Phone) {
        self.s1.register_sealed(R1, &self.app, phone, self.world.seconds()).await;
    }
}

/// The phone of the protocol's example (5.3).
fn example() -> Phone {
    Phone { token: "c0ffee".to_owned(), ..Phone::apple("") }
}

/// The answer to a registration whose text is not what it should be.
fn invalid() -> (u16, serde_json::Value) {
    let msg = "Invalid encrypted_push_registration";
    (400, json!({"result": "error", "msg": msg, "code": "BAD_REQUEST"}))
}
