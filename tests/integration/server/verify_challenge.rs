//! `server/register/verify_challenge`: which host gets a registration.

use std::time::Duration;

use bytes::Bytes;
use entities::remote_servers;
use http::Request;
use push_bouncer::sandbox::chat_host::ChatHost;
use sea_orm::ActiveValue::Set;
use serde_json::Value;
use uuid::Uuid;

use crate::world::{ANY_NUMBER, ChatServer, PERMITTED, Registered, TOKEN, World, said};

mod hosts;
mod limits;
mod names;

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_called_once_as_a_chat_server_expects_it() {
    let world = World::start(PERMITTED).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    take_over(&world, &host, &server).await;

    let heads = host.heads();
    assert_eq!(heads.len(), 1);
    let head = heads[0].to_ascii_lowercase();
    let line = format!("get /api/v1/zulip-services/verify/{}/ http/1.1\r\n", TOKEN.to_lowercase());
    assert!(head.starts_with(&line), "{head}");
    assert!(head.contains(&format!("\r\nhost: {}\r\n", server.hostname)), "{head}");
    assert!(head.contains("\r\nuser-agent: push-bouncer/"), "{head}");
    assert!(!head.contains("cookie") && !head.contains("authorization"), "{head}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_transfers_once() {
    let world = World::start(PERMITTED).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    host.prepare(&world.secret_for(&server.hostname).await, TOKEN);
    let (first, second) =
        tokio::join!(world.verify(&server.hostname, TOKEN), world.verify(&server.hostname, TOKEN));
    let (won, lost) = if first.0 == 200 { (first, second) } else { (second, first) };
    assert_eq!((won.0, lost.0), (200, 400));
    assert_eq!(lost.1["msg"], "The verification secret is invalid");
    let key = won.1["zulip_org_key"].as_str().unwrap();
    assert_eq!(world.client().status_as(&server.org_id, key).await.status, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_earlier_key_is_dead_after_a_transfer() {
    let world = World::start(PERMITTED).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    let rotated = "b".repeat(64);
    server.register_with(&[("new_org_key", &rotated)]).await;
    assert_eq!(world.client().status_as(&server.org_id, &server.org_key).await.status, 200);

    let key = take_over(&world, &host, &server).await;

    for dead in [&server.org_key, &rotated] {
        assert_eq!(world.client().status_as(&server.org_id, dead).await.status, 401);
        let fields = [("zulip_org_key", dead.as_str()), ("new_org_key", &"c".repeat(64))];
        let refused = Registered::Refused(400, "INVALID_ZULIP_SERVER".to_owned());
        assert_eq!(server.register_with(&fields).await, refused);
    }
    assert_eq!(world.client().status_as(&server.org_id, &key).await.status, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_at_the_same_time_does_not_keep_the_old_key_alive() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    let mut key = server.org_key.clone();
    for round in 0..5 {
        let rotated = format!("{round}").repeat(64);
        let fields = [("zulip_org_key", key.as_str()), ("new_org_key", &rotated)];
        let (_, taken) =
            tokio::join!(server.register_with(&fields), take_over(&world, &host, &server));
        for dead in [&key, &rotated] {
            assert_eq!(world.client().status_as(&server.org_id, dead).await.status, 401);
        }
        assert_eq!(world.client().status_as(&server.org_id, &taken).await.status, 200);
        key = taken;
        // Two secrets of one millisecond are one.
        world.clock.advance(Duration::from_millis(1));
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_with_one_host_name_the_most_recently_active_is_transferred() {
    let world = World::start(PERMITTED).await;
    let host = world.chat_host(&[]).await;
    let hostname = host.hostname("localhost");
    let (older, active, gone) = (
        world.chat_server("older.selfhosted.test").await,
        world.chat_server("active.selfhosted.test").await,
        world.chat_server("gone.selfhosted.test").await,
    );
    for (server, last_request_at, deactivated) in
        [(&older, 1_000, false), (&active, 2_000, false), (&gone, 3_000, true)]
    {
        let model = remote_servers::ActiveModel {
            hostname: Set(hostname.clone()),
            last_request_at: Set(Some(last_request_at)),
            deactivated: Set(deactivated),
            ..Default::default()
        };
        change(&world, server, model).await;
    }
    host.prepare(&world.secret_for(&hostname).await, TOKEN);
    let (status, json) = world.verify(&hostname, TOKEN).await;
    assert_eq!((status, &json["zulip_org_id"]), (200, &active.org_id.as_str().into()), "{json}");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_server_is_not_transferred() {
    let world = World::start(PERMITTED).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    let model = remote_servers::ActiveModel { deactivated: Set(true), ..Default::default() };
    change(&world, &server, model).await;
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "Registration not found for this hostname");
    let fields = [("hostname", server.hostname.as_str())];
    let (status, json) = said(&world.post_form("transfer", &fields).await);
    let expected = format!("{} not yet registered", server.hostname);
    assert_eq!((status, &json["msg"]), (400, &expected.into()));
    assert!(host.heads().is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_parameters_are_refused_and_nobody_is_called() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    let hostname = server.hostname.as_str();
    let too_long = "a".repeat(129);
    for (fields, msg) in [
        (&[][..], "Missing 'hostname' argument"),
        (&[("access_token", TOKEN)], "Missing 'hostname' argument"),
        (&[("hostname", hostname)], "Missing 'access_token' argument"),
        (&[("hostname", hostname), ("access_token", "")], "access_token has invalid format"),
        (&[("hostname", hostname), ("access_token", "../x")], "access_token has invalid format"),
        (&[("hostname", hostname), ("access_token", "a\r\nb")], "access_token has invalid format"),
        (
            &[("hostname", hostname), ("access_token", &too_long)],
            "access_token is too long (limit: 128 characters)",
        ),
        (
            &[("hostname", &too_long), ("access_token", TOKEN)],
            "hostname is too long (limit: 128 characters)",
        ),
        (
            &[("hostname", "localhost/x"), ("access_token", TOKEN)],
            "Registration not found for this hostname",
        ),
        (
            &[("hostname", "user@localhost"), ("access_token", TOKEN)],
            "Registration not found for this hostname",
        ),
    ] {
        let (status, json) = said(&world.post_form("verify_challenge", fields).await);
        assert_eq!((status, &json["msg"]), (400, &msg.into()), "{fields:?}");
    }
    assert!(host.heads().is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_method_will_do() {
    let world = World::start("").await;
    for method in ["GET", "POST", "PUT", "OPTIONS"] {
        let path =
            "/api/v1/remotes/server/register/verify_challenge?hostname=foo.test&access_token=x";
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        let (status, json): (u16, Value) = said(&world.client().send(request).await.unwrap());
        let expected = "Registration not found for this hostname";
        assert_eq!((status, &json["msg"]), (400, &expected.into()), "{method}");
    }
    world.shutdown().await;
}

/// Transfers the server's registration; gives the new key.
async fn take_over(world: &World, host: &ChatHost, server: &ChatServer) -> String {
    host.prepare(&world.secret_for(&server.hostname).await, TOKEN);
    let (status, json) = world.verify(&server.hostname, TOKEN).await;
    assert_eq!(status, 200, "{json}");
    json["zulip_org_key"].as_str().expect("a key is text").to_owned()
}

/// Changes a registration behind the bouncer's back.
async fn change(world: &World, server: &ChatServer, model: remote_servers::ActiveModel) {
    world.change_server(Uuid::parse_str(&server.org_id).unwrap(), model).await;
}
