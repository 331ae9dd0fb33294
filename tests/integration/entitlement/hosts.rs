//! Which servers may register at all.

use crate::world::{Registered, World};

fn refused() -> Registered {
    Registered::Refused(400, "BAD_REQUEST".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_bouncer_takes_no_new_server_and_keeps_those_it_has() {
    let world = World::start("").await;
    let known = world.chat_server("chat.selfhosted.test").await;
    let config = world.surroundings.config().to_owned();
    let world = world.again(&format!("{config}registration.mode = \"closed\"\n")).await;

    let newcomer = world.new_chat_server("new.selfhosted.test");
    assert_eq!(newcomer.register().await, refused());
    let known = world.same_chat_server(&known);
    assert_eq!(known.register().await, Registered::Updated);
    let moved = [("hostname", "moved.selfhosted.test")];
    assert_eq!(known.register_with(&moved).await, Registered::Updated);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_allowed_and_denied_by_pattern() {
    let world = World::start(
        "registration.mode = \"allowlist\"\nregistration.allow_hosts = [\"*.selfhosted.test\"]\n\
         registration.deny_hosts = [\"bad*.selfhosted.test\"]\n",
    )
    .await;
    for (hostname, expected) in [
        ("chat.selfhosted.test", Registered::Created),
        ("chat2.selfhosted.test:8443", Registered::Created),
        ("selfhosted.test", refused()),
        ("chat.selfhosted.test.example.org", refused()),
        ("Bad1.selfhosted.test", refused()),
        ("bad1.selfhosted.test.", refused()),
        ("bad1.selfhosted.test.:8443", refused()),
        ("bad1.selfhosted.test:443", refused()),
    ] {
        assert_eq!(world.new_chat_server(hostname).register().await, expected, "{hostname}");
    }
    let server = world.chat_server("chat3.selfhosted.test").await;
    assert_eq!(server.register_with(&[("hostname", "bad.selfhosted.test")]).await, refused());
    world.shutdown().await;
}
