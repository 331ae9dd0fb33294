//! `POST server/register/transfer`: who gets a secret.

use bytes::Bytes;
use http::Request;

use crate::world::{World, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_names_its_host_in_upper_case_digits() {
    let world = World::start("").await;
    world.chat_server("chat.selfhosted.test:8443").await;
    let fields = [("hostname", "Chat.SelfHosted.test:8443"), ("x", "1")];
    let (status, json) = said(&world.post_form("transfer", &fields).await);
    assert_eq!(status, 200, "{json}");
    let secret = json["verification_secret"].as_str().unwrap();
    let name = "chat.selfhosted.test:8443:";
    let digits: String = name.bytes().map(|byte| format!("{byte:02X}")).collect();
    assert!(secret.starts_with(&digits), "{secret}");
    assert!(secret.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')), "{secret}");
    assert_eq!(json["ignored_parameters_unsupported"], serde_json::json!(["x"]));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_host_name_is_refused_as_at_registration() {
    let world = World::start("").await;
    let too_long = format!("{}.test", "a.".repeat(70));
    for (hostname, msg) in [
        ("foo bar", "foo bar is not a valid hostname"),
        ("user@foo.test", "user@foo.test is not a valid hostname"),
        ("2130706433", "2130706433 is not a valid hostname"),
        ("0177.0.0.1", "0177.0.0.1 is not a valid hostname"),
        ("127.1", "127.1 is not a valid hostname"),
        ("[fe80::1%eth0]", "[fe80::1%eth0] is not a valid hostname"),
        ("foo.test/x", "foo.test/x contains invalid components (e.g., path, query, fragment)."),
        ("foo.test", "foo.test not yet registered"),
        (&too_long, "hostname is too long (limit: 128 characters)"),
    ] {
        let (status, json) = said(&world.post_form("transfer", &[("hostname", hostname)]).await);
        assert_eq!((status, &json["msg"]), (400, &msg.into()), "{json}");
    }
    let (status, json) = said(&world.post_form("transfer", &[]).await);
    assert_eq!((status, &json["code"]), (400, &"REQUEST_VARIABLE_MISSING".into()));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_for_by_post_only() {
    let world = World::start("").await;
    let request = Request::get("/api/v1/remotes/server/register/transfer?hostname=foo.test");
    let answer = world.client().send(request.body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status, 405);
    assert_eq!(answer.headers["allow"], "POST");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_transferred_where_the_operator_does_not_want_it() {
    let world = World::start("registration.transfer = false").await;
    world.chat_server("chat.selfhosted.test").await;
    for path in ["transfer", "verify_challenge"] {
        let fields = [("hostname", "chat.selfhosted.test"), ("access_token", "token")];
        let (status, json) = said(&world.post_form(path, &fields).await);
        assert_eq!((status, &json["code"]), (404, &"NOT_FOUND".into()));
        assert_eq!(json["msg"], "This push bouncer does not transfer registrations.");
    }
    world.shutdown().await;
}
