//! `POST server/billing` and the page its link leads to.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use push_bouncer::sandbox::surroundings::PUBLIC_NAME;
use serde_json::{Value, json};

use crate::world::{Answer, ChatServer, World};

const REALM: &str = "0f3c9a1e-7d2b-4c58-9a4b-1f0f7b8c2d11";

fn user() -> Value {
    json!({"uuid": "5f0c2d8e-6a43-4c58-9a4b-1f0f7b8c2d11", "email": "iago@selfhosted.test", "full_name": "Iago"})
}

fn realm(uuid: &str) -> Value {
    json!({
        "id": 2, "uuid": uuid, "uuid_owner_secret": "secret", "host": "chat.selfhosted.test",
        "url": "https://chat.selfhosted.test", "name": "Realm", "org_type": 10,
        "date_created": 1_700_000_000.5, "deactivated": false, "is_system_bot_realm": false,
        "authentication_methods": {"Email": true}, "of_a_newer_server": [1],
    })
}

/// What is answered to these fields, over what is right.
async fn ask(server: &ChatServer, others: &[(&str, String)]) -> (u16, Value) {
    let mut fields = vec![("user", user().to_string()), ("realm", realm(REALM).to_string())];
    fields.extend(others.iter().cloned());
    let reply = server.form("server/billing", &fields).await;
    (reply.status.as_u16(), reply.json)
}

/// The path of a link.
async fn link(server: &ChatServer) -> String {
    let (status, answer) = ask(server, &[("next_page", "plans".to_owned())]).await;
    assert_eq!(status, 200, "{answer}");
    let url = answer["billing_access_url"].as_str().unwrap();
    let path =
        url.strip_prefix(&format!("https://{PUBLIC_NAME}")).expect("it is under `public_url`");
    assert!(path.starts_with("/remote-billing-login/"), "{path}");
    path.to_owned()
}

async fn open(world: &World, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
    world.client().send(request).await.unwrap()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_opens_a_page_once() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let path = link(&server).await;

    assert_eq!(open(&world, "HEAD", &path).await.status, 405, "nobody would see it");
    let page = open(&world, "GET", &path).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let shown = text(&page);
    assert!(shown.contains("Server: chat.selfhosted.test"), "{shown}");
    assert!(shown.contains("are on for this organization"), "{shown}");
    assert!(!shown.contains("Iago") && !shown.contains("iago"), "nothing is known of the person");

    let again = open(&world, "GET", &path).await;
    assert_eq!(again.status, 400);
    assert!(text(&again).contains("was opened before"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_old_after_two_hours_and_none_with_another_token() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let path = link(&server).await;
    let tampered =
        [format!("{path}A"), path[..path.len() - 2].to_owned(), path.replace("in/A", "in/B")];
    for path in tampered {
        let page = open(&world, "GET", &path).await;
        assert_eq!(page.status, 400, "{path}");
        assert!(text(&page).contains("Invalid billing access token."), "{path}");
    }
    assert_eq!(open(&world, "GET", "/remote-billing-login/").await.status, 404);
    let path = link(&server).await;
    world.clock.advance(Duration::from_secs(2 * 60 * 60 + 1));
    let page = open(&world, "GET", &path).await;
    assert_eq!(page.status, 400);
    assert!(text(&page).contains("Billing access token expired."));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_why_an_organization_may_not_push() {
    let world = World::start("entitlement.policy = \"user-limit\"\n").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let page = open(&world, "GET", &link(&server).await).await;
    let shown = text(&page);
    assert!(shown.contains("are off for this organization. The reason: Missing data"), "{shown}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_question_is_named() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.upload_realm(REALM).await;
    let without = |name: &str| {
        let mut user = user();
        user.as_object_mut().unwrap().remove(name);
        user.to_string()
    };
    let no_uuid = json!({"uuid": "x", "email": "a@b.test", "full_name": "A"}).to_string();
    for (name, value, message) in [
        ("user", "x".to_owned(), "user is not valid JSON"),
        (
            "user",
            "[]".to_owned(),
            "Invalid user: Input should be a valid dictionary or instance of UserDataForRemoteBilling",
        ),
        ("user", without("email"), "user[\"email\"] field is missing: Field required"),
        ("user", no_uuid, "Invalid UUID"),
        ("realm", "{".to_owned(), "realm is not valid JSON"),
        ("realm", "{}".to_owned(), "realm[\"id\"] field is missing: Field required"),
        ("uri_scheme", "ftp://".to_owned(), "Invalid uri_scheme"),
        ("next_page", "nowhere".to_owned(), "Invalid next_page"),
    ] {
        let (status, answer) = ask(&server, &[(name, value)]).await;
        let told = (status, answer["msg"].as_str(), answer["code"].as_str());
        assert_eq!(told, (400, Some(message), Some("BAD_REQUEST")), "{name}");
    }
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for name in ["user", "realm"] {
        assert_eq!(ask(&server, &[(name, deep.clone())]).await.0, 400);
    }
    world.shutdown().await;
}
