//! V109 to V120: servers that register, and change what is registered of them.

use bytes::Bytes;
use entities::{audit_log, remote_servers};
use http::{Request, header};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::{bad_request, refusal, said};
use crate::world::{ChatServer, World};

/// What a server asks for, without credentials as all do, with some fields of its own.
async fn register(world: &World, server: &ChatServer, others: &[(&str, &str)]) -> (u16, Value) {
    let own = [
        ("zulip_org_id", server.org_id.as_str()),
        ("zulip_org_key", &server.org_key),
        ("hostname", &server.hostname),
        ("contact_email", "admin@selfhosted.test"),
    ];
    let fields: Vec<_> = own.iter().chain(others).collect();
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(world, "", form).await
}

async fn send(world: &World, query: &str, body: String) -> (u16, Value) {
    let request = Request::post(format!("/api/v1/remotes/server/register{query}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body))
        .unwrap();
    let answer = world.client().send(request).await.unwrap();
    (answer.status, answer.json())
}

fn registered(created: bool) -> (u16, Value) {
    (200, json!({"result": "success", "msg": "", "created": created}))
}

/// The status of an authenticated request with this key.
async fn status_with(world: &World, server: &ChatServer, key: &str) -> u16 {
    world.client().status_as(&server.org_id, key).await.status
}

async fn refused_email(email: &str, expected: (u16, Value)) {
    let world = World::start("registration.email_check = \"mx\"\n").await;
    let server = world.new_chat_server("s1.selfhosted.test");
    assert_eq!(register(&world, &server, &[("contact_email", email)]).await, expected);
    world.shutdown().await;
}

fn bad_email(message: &str, reason: &str) -> (u16, Value) {
    let (status, mut answer) = bad_request(message);
    answer["email_reason"] = reason.into();
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn v109_a_new_server_is_created() {
    let world = World::start("").await;
    let server = world.new_chat_server("s1.selfhosted.test");
    assert_eq!(register(&world, &server, &[]).await, registered(true));
    let rows = audit_log::Entity::find().all(&world.database().await).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.event_type).collect::<Vec<_>>(), [10215]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v110_an_old_server_says_everything_in_the_query() {
    let world = World::start("").await;
    let server = world.new_chat_server("s1.selfhosted.test");
    let query = format!(
        "?zulip_org_id={}&zulip_org_key={}&hostname=s1.selfhosted.test&contact_email=admin%40selfhosted.test",
        server.org_id, server.org_key
    );
    assert_eq!(send(&world, &query, String::new()).await, registered(true));
    assert_eq!(status_with(&world, &server, &server.org_key).await, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v111_a_known_server_changes_its_name_and_address() {
    let world = World::start("").await;
    let server = world.chat_server("s1.selfhosted.test").await;
    let new = [("hostname", "new.selfhosted.test"), ("contact_email", "new@selfhosted.test")];
    assert_eq!(register(&world, &server, &new).await, registered(false));
    let row = remote_servers::Entity::find().one(&world.database().await).await.unwrap().unwrap();
    let stored = (row.hostname.as_str(), row.contact_email.as_str());
    assert_eq!(stored, ("new.selfhosted.test", "new@selfhosted.test"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v112_a_new_key_works_and_the_old_one_for_a_while() {
    let world = World::start("").await;
    let server = world.chat_server("s1.selfhosted.test").await;
    let key = "n".repeat(64);
    assert_eq!(register(&world, &server, &[("new_org_key", &key)]).await, registered(false));
    assert_eq!(status_with(&world, &server, &server.org_key).await, 200, "the old key");
    assert_eq!(status_with(&world, &server, &key).await, 200, "the new key");
    assert_eq!(status_with(&world, &server, &server.org_key).await, 401, "the new one was used");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v113_a_wrong_key_is_refused_with_the_role() {
    let world = World::start("").await;
    let server = world.chat_server("s1.selfhosted.test").await;
    let message = format!("Zulip server auth failure: key does not match role {}", server.org_id);
    let mut expected = refusal(400, "INVALID_ZULIP_SERVER", &message);
    expected.1["role"] = server.org_id.as_str().into();
    let wrong = "w".repeat(64);
    assert_eq!(register(&world, &server, &[("zulip_org_key", &wrong)]).await, expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v114_a_used_host_name_is_refused() {
    let world = World::start("").await;
    world.chat_server("s1.selfhosted.test").await;
    let message = "A server with hostname s1.selfhosted.test already exists";
    let mut expected = refusal(400, "HOSTNAME_ALREADY_IN_USE_BOUNCER_ERROR", message);
    expected.1["hostname"] = "s1.selfhosted.test".into();
    let newcomer = world.new_chat_server("s1.selfhosted.test");
    assert_eq!(register(&world, &newcomer, &[]).await, expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v115_an_id_is_a_canonical_random_uuid() {
    let world = World::start("").await;
    let server = world.new_chat_server("s1.selfhosted.test");
    let upper = server.org_id.to_uppercase();
    let nothing = "x".repeat(36);
    for id in [nothing.as_str(), "18cedb98-5222-5f34-50a9-fc418e1ba972", upper.as_str()] {
        let answer = register(&world, &server, &[("zulip_org_id", id)]).await;
        assert_eq!(answer, bad_request("Invalid UUID"), "{id}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v116_ids_and_keys_have_their_lengths() {
    let world = World::start("").await;
    let server = world.new_chat_server("s1.selfhosted.test");
    let answer = register(&world, &server, &[("zulip_org_id", "12345678")]).await;
    assert_eq!(answer, bad_request("zulip_org_id is not length 36"));
    let answer = register(&world, &server, &[("zulip_org_key", &"k".repeat(63))]).await;
    assert_eq!(answer, bad_request("zulip_org_key is not length 64"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v117_a_host_name_is_a_host_and_nothing_more() {
    let world = World::start("").await;
    let server = world.new_chat_server("s1.selfhosted.test");
    let answer = register(&world, &server, &[("hostname", "invalid-host")]).await;
    assert_eq!(answer, bad_request("invalid-host is not a valid hostname"));
    let answer = register(&world, &server, &[("hostname", "example.com/path")]).await;
    let message = "example.com/path contains invalid components (e.g., path, query, fragment).";
    assert_eq!(answer, bad_request(message));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v118_a_host_name_may_have_a_port() {
    let world = World::start("").await;
    let server = world.new_chat_server("example.com:8443");
    assert_eq!(register(&world, &server, &[]).await, registered(true));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v119_an_address_that_is_none_is_refused_with_the_reason() {
    let reason = "Enter a valid email address.";
    refused_email("server-admin", bad_email(reason, reason)).await;
    let example = "example.com is not a valid email domain.";
    refused_email("admin@example.com", bad_email("Invalid email address.", example)).await;
    let reason = "nomx.test is invalid because it does not have any MX records";
    refused_email("admin@nomx.test", bad_email(reason, reason)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v120_a_deactivated_server_does_not_register_again() {
    let world = World::start("").await;
    let server = world.chat_server("s1.selfhosted.test").await;
    assert_eq!(said(&server.json("server/deactivate", &json!({})).await).0, 200);
    let message =
        "The mobile push notification service registration for your server has been deactivated";
    assert_eq!(register(&world, &server, &[]).await, refusal(401, "REALM_DEACTIVATED", message));
    world.shutdown().await;
}
