//! Who is reached through a proxy, and who is not.

use std::net::SocketAddr;

use super::{push, tinyproxy::Tinyproxy, with_iphone};
use crate::world::{IAGO, PERMITTED, Phone, Registered, Stage, TOKEN, World, message, to, until};

#[tokio::test(flavor = "multi_thread")]
async fn both_services_and_the_token_endpoint_are_reached_through_it() {
    let proxy = Tinyproxy::start("BasicAuth bouncer p-s_w.rd").await;
    let settings = format!("proxy.url = \"http://bouncer:p%2ds_w.rd@{}\"", proxy.authority());
    let stage = Stage::set(&settings).await;
    let (apns, fcm) = (stage.surroundings.apns.address(), stage.surroundings.fcm.address());
    let config = stage.surroundings.config().to_owned();
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in [Phone::apple("iphone"), Phone::android("android")] {
        server.register_phone(IAGO, &phone).await;
    }

    server.notify(&to(IAGO, message())).await;
    until("both arrive", async || (world.arrived() == (1, 1)).then_some(())).await;

    let mut asked_for = proxy.asked_for();
    asked_for.sort();
    let mut expected = [apns.to_string(), fcm.to_string(), tokens(fcm)];
    expected.sort();
    assert_eq!(asked_for, expected, "each once");
    let connections = |counters: push_bouncer::sandbox::counters::Counters| counters.connections;
    assert_eq!(connections(world.surroundings.apns.counters()), 1, "nothing directly");
    assert_eq!(connections(world.surroundings.fcm.counters()), 2, "nothing directly");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_excepted_is_reached_directly() {
    let proxy = Tinyproxy::start("").await;
    let stage = Stage::set(&proxy.settings()).await;
    let apns = stage.surroundings.apns.address();
    let config = stage.surroundings.config();
    let config = format!("{config}proxy.no_proxy = [\"selfhosted.test\", \"{apns}\"]\n");
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for phone in [Phone::apple("iphone"), Phone::android("android")] {
        server.register_phone(IAGO, &phone).await;
    }

    server.notify(&to(IAGO, message())).await;
    until("both arrive", async || (world.arrived() == (1, 1)).then_some(())).await;

    let fcm = world.surroundings.fcm.address();
    assert_eq!(proxy.asked_for(), [tokens(fcm), fcm.to_string()]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_others_name_is_never_reached_through_it() {
    let proxy = Tinyproxy::start("").await;
    let world = World::start(&format!("{PERMITTED}{}", proxy.settings())).await;
    let host = world.chat_host(&[]).await;
    let server = world.new_chat_server(&host.hostname("localhost"));
    assert_eq!(server.register().await, Registered::Created);

    host.prepare(&world.secret_for(&server.hostname).await, TOKEN);
    let (status, json) = world.verify(&server.hostname, TOKEN).await;

    assert_eq!(status, 200, "{json}");
    assert_eq!(proxy.asked_for(), Vec::<String>::new());
    let server = with_iphone(&world).await;
    push(&world, &server, 1).await;
    assert_eq!(proxy.asked_for().len(), 1, "though there is a proxy");
    world.shutdown().await;
}

/// Where access tokens are: at the same service by another name.
fn tokens(fcm: SocketAddr) -> String {
    format!("localhost:{}", fcm.port())
}
