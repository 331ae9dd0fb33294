//! What another process stores counts here: at once where a refusal would cost, and nobody waits for it.

use entities::{redacted::RedactedBytes, remote_realms, remote_servers};
use push_bouncer::domain::remote_server::KeyHash;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseConnection, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, TransactionTrait as _,
};
use serde_json::json;
use uuid::Uuid;

use crate::world::{ChatServer, World, until};

const REALM: &str = "0f3c9a1e-7d2b-4c58-9a4b-1f0f7b8c2d11";

async fn row(database: &DatabaseConnection, server: &ChatServer) -> remote_servers::Model {
    let uuid = Uuid::parse_str(&server.org_id).unwrap();
    let query = remote_servers::Entity::find().filter(remote_servers::Column::Uuid.eq(uuid));
    query.one(database).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_that_is_stored_after_it_was_unknown_is_found_at_once() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let body = json!({"realm_uuid": REALM, "push_requests": []});
    let reply = server.json("push/e2ee/notify", &body).await;
    assert_eq!((reply.status.as_u16(), &reply.json["code"]), (403, &json!("MISSING_REMOTE_REALM")));

    let database = world.database().await;
    let realm = remote_realms::ActiveModel {
        server_id: Set(row(&database, &server).await.id),
        uuid: Set(Uuid::parse_str(REALM).unwrap()),
        realm_id: Set(2),
        host: Set("chat.selfhosted.test".to_owned()),
        name: Set("Realm".to_owned()),
        org_type: Set(10),
        authentication_methods: Set("{}".to_owned()),
        is_system_bot_realm: Set(false),
        deactivated: Set(false),
        locally_deleted: Set(false),
        date_created: Set(0),
        created_at: Set(0),
        ..Default::default()
    };
    remote_realms::Entity::insert(realm).exec(&database).await.unwrap();
    assert_eq!(server.json("push/e2ee/notify", &body).await.status, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_replaced_opens_at_once() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let key = "n".repeat(64);
    assert_eq!(world.client().status_as(&server.org_id, &server.org_key).await.status, 200);
    assert_eq!(world.client().status_as(&server.org_id, &key).await.status, 401);

    let database = world.database().await;
    let hash = RedactedBytes(KeyHash::of(&key).expose().to_vec());
    remote_servers::Entity::update_many()
        .set(remote_servers::ActiveModel { key_hash: Set(hash), ..Default::default() })
        .exec(&database)
        .await
        .unwrap();
    assert_eq!(world.client().status_as(&server.org_id, &key).await.status, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_held_keeps_no_other_from_being_written() {
    let world = World::start("").await;
    let held = world.chat_server("held.selfhosted.test").await;
    let other = world.chat_server("other.selfhosted.test").await;
    let database = world.database().await;
    let before = row(&database, &other).await.last_request_at;

    // SQLite has no locks of rows; there it is one who reads that holds nobody up.
    let holding = database.begin().await.unwrap();
    let uuid = Uuid::parse_str(&held.org_id).unwrap();
    let query = remote_servers::Entity::find().filter(remote_servers::Column::Uuid.eq(uuid));
    query.lock_exclusive().one(&holding).await.unwrap().unwrap();
    world.clock.advance(std::time::Duration::from_secs(60));
    for server in [&held, &other] {
        assert_eq!(world.client().status_as(&server.org_id, &server.org_key).await.status, 200);
    }
    let reading = world.database().await;
    until("the other one's request is noted", async || {
        (row(&reading, &other).await.last_request_at > before).then_some(())
    })
    .await;
    holding.rollback().await.unwrap();
    until("then the held one's too", async || {
        (row(&reading, &held).await.last_request_at > before).then_some(())
    })
    .await;
    world.shutdown().await;
}
