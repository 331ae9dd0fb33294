//! V1 to V13: who is let in, and what the others are told.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;

use super::{bad_request, one_server, refusal, success};
use crate::world::{Answer, World};

/// Everything a registered server can post to.
const PATHS: [&str; 10] = [
    "push/register",
    "push/unregister",
    "push/unregister/all",
    "push/notify",
    "push/test_notification",
    "push/e2ee/register",
    "push/e2ee/notify",
    "server/deactivate",
    "server/analytics",
    "server/billing",
];

const UNREADABLE: &str = "Invalid authorization header for basic auth";

#[tokio::test(flavor = "multi_thread")]
async fn v001_a_post_without_authorization_is_unauthorized() {
    let world = World::start("").await;
    for path in PATHS {
        let answer = post(&world, path, None).await;
        let message = "Missing authorization header for basic auth";
        assert_eq!(said(&answer), refusal(401, "UNAUTHORIZED", message), "{path}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v002_one_word_of_authorization_is_unreadable() {
    assert_eq!(to_authorization("Basic").await, refusal(401, "UNAUTHORIZED", UNREADABLE));
}

#[tokio::test(flavor = "multi_thread")]
async fn v003_credentials_without_a_colon_are_unreadable() {
    let unreadable = refusal(401, "UNAUTHORIZED", UNREADABLE);
    assert_eq!(to_authorization("Basic !!!").await, unreadable);
    assert_eq!(to_authorization(&basic("no colon")).await, unreadable);
}

#[tokio::test(flavor = "multi_thread")]
async fn v004_credentials_with_two_colons_are_unreadable() {
    let answer = to_authorization(&basic("role:key:more")).await;
    assert_eq!(answer, refusal(401, "UNAUTHORIZED", UNREADABLE));
}

#[tokio::test(flavor = "multi_thread")]
async fn v005_another_scheme_is_a_bad_request() {
    let answer = to_authorization("Bearer abc").await;
    assert_eq!(answer, bad_request("This endpoint requires HTTP basic authentication."));
}

#[tokio::test(flavor = "multi_thread")]
async fn v006_the_scheme_is_read_in_any_case() {
    let (world, server) = one_server("").await;
    let lower = server.authorization().replace("Basic ", "basic ");
    assert_eq!(said(&ask(&world, &lower).await), success());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v007_a_persons_key_is_a_bad_request() {
    let answer = to_authorization(&basic("hamlet@zulip.com:key")).await;
    assert_eq!(answer, bad_request("Must validate with valid Zulip server API key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v008_an_id_that_is_no_uuid_is_not_registered() {
    let answer = to_authorization(&basic("invalid_uuid:key")).await;
    assert_eq!(answer, not_registered("invalid_uuid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v009_an_unknown_uuid_is_not_registered() {
    let unknown = "a0000063-0000-4000-8000-000000000063";
    let answer = to_authorization(&basic(&format!("{unknown}:key"))).await;
    assert_eq!(answer, not_registered(unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn v010_a_wrong_key_is_unauthorized_and_no_invalid_server() {
    let (world, server) = one_server("").await;
    let answer = ask(&world, &basic(&format!("{}:wrong", server.org_id))).await;
    assert_eq!(said(&answer), wrong_key(&server.org_id));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v011_an_id_in_upper_case_is_the_same_server() {
    let (world, server) = one_server("").await;
    let upper = server.org_id.to_uppercase();
    assert_ne!(upper, server.org_id);
    let answer = ask(&world, &basic(&format!("{upper}:{}", server.org_key))).await;
    assert_eq!(said(&answer), success());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v012_a_deactivated_server_is_told_so() {
    let (world, server) = one_server("").await;
    world.deactivate(&server).await;
    let answer = ask(&world, &server.authorization()).await;
    let message =
        "The mobile push notification service registration for your server has been deactivated";
    assert_eq!(said(&answer), refusal(401, "UNAUTHORIZED", message));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v013_with_a_wrong_key_nobody_learns_that_a_server_is_deactivated() {
    let (world, server) = one_server("").await;
    world.deactivate(&server).await;
    let answer = ask(&world, &basic(&format!("{}:wrong", server.org_id))).await;
    assert_eq!(said(&answer), wrong_key(&server.org_id));
    world.shutdown().await;
}

fn not_registered(role: &str) -> (u16, Value) {
    let hint = "did you run `manage.py register_server`?";
    let message = format!("Zulip server auth failure: {role} is not registered -- {hint}");
    refusal(401, "UNAUTHORIZED", &message)
}

fn wrong_key(role: &str) -> (u16, Value) {
    let message = format!("Zulip server auth failure: key does not match role {role}");
    refusal(401, "UNAUTHORIZED", &message)
}

/// `Authorization` with these credentials.
fn basic(credentials: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

/// What a world that knows nobody says to this `Authorization`.
async fn to_authorization(authorization: &str) -> (u16, Value) {
    let world = World::start("").await;
    let answer = said(&ask(&world, authorization).await);
    world.shutdown().await;
    answer
}

/// Makes a request that succeeds if it is let in.
async fn ask(world: &World, authorization: &str) -> Answer {
    post(world, "push/unregister/all", Some(authorization)).await
}

async fn post(world: &World, path: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::post(format!("/api/v1/remotes/{path}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    let request = request.body(Bytes::from("user_id=42")).unwrap();
    world.client().send(request).await.unwrap()
}

/// The status and the body of an answer; one that lets nobody in asks for credentials.
fn said(answer: &Answer) -> (u16, Value) {
    assert_eq!(answer.header("content-type"), "application/json");
    let asks = answer.headers.get(header::WWW_AUTHENTICATE);
    let asks = asks.map(|value| value.to_str().unwrap());
    assert_eq!(asks, (answer.status == 401).then_some("Basic realm=\"zulip\""));
    (answer.status, answer.json())
}
