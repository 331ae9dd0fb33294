//! V121 to V127: transfers of registrations.

use std::time::Duration;

use entities::audit_log;
use push_bouncer::sandbox::{authority::Authority, chat_host::Manner};
use sea_orm::EntityTrait as _;
use tokio::net::TcpListener;

use crate::world::{ANY_NUMBER, PERMITTED, Registered, TOKEN, World, said};

#[tokio::test(flavor = "multi_thread")]
async fn v121_an_unknown_host_has_nothing_to_transfer() {
    let world = World::start("").await;
    let hostname = "unregistered.example.com";
    let (status, json) = said(&world.post_form("transfer", &[("hostname", hostname)]).await);
    assert_eq!((status, &json["code"]), (400, &"BAD_REQUEST".into()));
    assert_eq!(json["msg"], "unregistered.example.com not yet registered");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v122_who_holds_the_host_name_gets_the_registration_and_a_new_key() {
    let world = World::start(PERMITTED).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    host.prepare(&world.secret_for(&server.hostname).await, TOKEN);

    let (status, json) = world.verify(&server.hostname, TOKEN).await;

    assert_eq!((status, &json["result"]), (200, &"success".into()), "{json}");
    assert_eq!(json["zulip_org_id"], server.org_id.as_str());
    let key = json["zulip_org_key"].as_str().unwrap();
    assert!(key.len() == 64 && key.bytes().all(|letter| letter.is_ascii_alphanumeric()), "{key}");
    assert_ne!(key, server.org_key);
    assert_eq!(json.as_object().unwrap().len(), 4, "{json}");
    assert_eq!(world.client().status_as(&server.org_id, &server.org_key).await.status, 401);
    assert_eq!(world.client().status_as(&server.org_id, key).await.status, 200);
    let updated = server.register_with(&[("zulip_org_key", key)]).await;
    assert_eq!(updated, Registered::Updated, "as the new installation does next");
    let events = audit_log::Entity::find().all(&world.database().await).await.unwrap();
    let events: Vec<_> = events.iter().map(|event| event.event_type).collect();
    assert_eq!(events, [10215, 10216]);
    assert_eq!(
        world.metric("push_bouncer_registrations_total", &["result=\"transferred\""]).await,
        1.0
    );
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v123_a_secret_that_proves_nothing_is_refused() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    let neighbour = world.chat_server(&host.hostname("127.0.0.1")).await;

    host.prepare(&world.secret_for(&neighbour.hostname).await, TOKEN);
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "The verification secret is for a different hostname");

    let secret = world.secret_for(&server.hostname).await;
    host.prepare_for_ever(&secret, TOKEN);
    world.clock.advance(Duration::from_secs(11));
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "The verification secret has expired");

    // What the old host signed, in the time of another.
    let digit = if secret.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{digit}", &secret[..secret.len() - 1]);
    host.prepare(&forged, TOKEN);
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "The verification secret is invalid");

    host.prepare("foo", TOKEN);
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "The verification secret is malformed");

    assert_eq!(world.client().status_as(&server.org_id, &server.org_key).await.status, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v124_what_goes_wrong_with_the_host_is_told() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let host = world.chat_host(&[]).await;
    let server = world.chat_server(&host.hostname("localhost")).await;
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "The host reported it has no verification secret.");
    host.behave(Manner::Status(403));
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "Error response received from the host: 403");

    let unknown = Authority::new().unwrap();
    let stranger = world.chat_host_at(([127, 0, 0, 1], 0).into(), &unknown, &[]).await;
    let server = world.chat_server(&stranger.hostname("localhost")).await;
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "SSL error occurred while communicating with the host.");
    assert!(stranger.heads().is_empty());

    let gone = world.chat_host(&[]).await;
    let server = world.chat_server(&gone.hostname("localhost")).await;
    drop(gone);
    let refusal = world.refusal(&server.hostname).await;
    assert_eq!(refusal, "Connection error occurred while communicating with the host.");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hostname = format!("localhost:{}", silent.local_addr().unwrap().port());
    world.chat_server(&hostname).await;
    let refusal = world.refusal(&hostname).await;
    assert_eq!(refusal, "The request timed out while communicating with the host.");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v125_an_unknown_host_cannot_be_verified() {
    let world = World::start("").await;
    let refusal = world.refusal("unregistered.example.com").await;
    assert_eq!(refusal, "Registration not found for this hostname");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v126_the_31st_of_a_day_is_one_too_many() {
    let world = World::start("limits.transfer.rate = \"1000/min\"").await;
    let fields = [("hostname", "unregistered.example.com"), ("access_token", TOKEN)];
    for _ in 0..30 {
        assert_eq!(world.post_form("verify_challenge", &fields).await.status, 400);
    }

    let refused = world.post_form("verify_challenge", &fields).await;

    let (status, json) = said(&refused);
    assert_eq!((status, &json["code"]), (429, &"RATE_LIMIT_HIT".into()));
    let text = "The global limits on recent usage of this endpoint have been reached. Please try again later.";
    assert_eq!(json["msg"], text);
    assert!(json.get("retry-after").is_none() && !refused.headers.contains_key("retry-after"));
    world.clock.advance(Duration::from_secs(24 * 60 * 60 + 1));
    assert_eq!(world.post_form("verify_challenge", &fields).await.status, 400);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v127_a_host_that_leads_to_loopback_is_not_called() {
    let world = World::start(ANY_NUMBER).await;
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    for name in ["localhost", "loopback.selfhosted.test", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let hostname = format!("{name}:{port}");
        world.chat_server(&hostname).await;
        let refusal = world.refusal(&hostname).await;
        assert_eq!(refusal, "Connection error occurred while communicating with the host.");
        let caught = trap.accept().map_err(|error| error.kind());
        assert_eq!(caught.unwrap_err(), std::io::ErrorKind::WouldBlock, "{name}");
    }
    world.shutdown().await;
}
