//! Proxies that do not connect us: refused, locked out, away, or no proxies at all.

use std::time::Duration;

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{
    ENDS_SOON, connects, numbered, push,
    tinyproxy::{Tinyproxy, free_address},
    until_connect, with_iphone,
};
use crate::{
    log::Log,
    world::{World, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_asked_again_until_it_allows() {
    let proxy = Tinyproxy::start("ConnectPort 1").await;
    let world = World::start(&proxy.settings()).await;
    let server = with_iphone(&world).await;
    server.notify(&numbered(1)).await;
    until_connect(&world, "proxy").await;
    assert_eq!(world.arrived(), (0, 0));
    assert_eq!(connects(&world, "ok").await, 0.0);

    let proxy = proxy.again("").await;
    push(&world, &server, 2).await;
    assert_eq!(connects(&world, "ok").await, 1.0);
    assert_eq!(proxy.asked_for(), [world.surroundings.apns.address().to_string()]);
    world.shutdown().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_to_the_operator_and_not_shown() {
    let log = Log::begin();
    let proxy = Tinyproxy::start("BasicAuth bouncer right").await;
    let url = format!("http://bouncer:wr0ngpassword@{}", proxy.authority());
    let settings = format!("{ENDS_SOON}proxy.url = \"{url}\"");
    let world = World::start(&settings).await;
    let server = with_iphone(&world).await;
    server.notify(&numbered(1)).await;
    until_connect(&world, "proxy").await;
    assert_eq!(world.arrived(), (0, 0));

    let told = log.about("provider.unreachable");
    let error = told[0]["error"].as_str().unwrap();
    assert_eq!(error, "no connection through the proxy: it wants other credentials (status 401)");
    let begun = log.about("outbound.proxy");
    assert_eq!(begun.len(), 1);
    assert_eq!(begun[0]["proxy"], format!("http://{}", proxy.authority()));
    // "wr0ngpassword" and "bouncer:wr0ngpassword", as it would be encoded.
    for secret in ["wr0ng", "Ym91bmNlcjp3cjBuZ3Bhc3N3b3Jk"] {
        assert!(!log.text().contains(secret));
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_away_is_waited_for() {
    let address = free_address();
    let world = World::start(&format!("{ENDS_SOON}proxy.url = \"http://{address}\"")).await;
    let server = with_iphone(&world).await;
    server.notify(&numbered(1)).await;
    until_connect(&world, "proxy").await;

    let proxy = Tinyproxy::start_at(address, "").await;
    push(&world, &server, 2).await;
    assert_eq!(proxy.asked_for().len(), 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (told, took) = given_up(&silent, async |_| std::future::pending().await).await;
    assert_eq!(told, "proxy");
    // Five seconds, and what a busy machine adds.
    assert!(took < Duration::from_secs(12), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_does_not_stop_talking_is_given_up() {
    let endless = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let talk = async |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        // Ends when nobody listens any more.
        while stream.write_all(b"X-Header: and another one\r\n").await.is_ok() {}
    };
    assert_eq!(given_up(&endless, talk).await.0, "proxy");
}

/// How the first attempt ends, and after how long, when the proxy is `listener`, of which each connection is
/// treated so.
async fn given_up(
    listener: &TcpListener,
    treat: impl AsyncFn(TcpStream),
) -> (&'static str, Duration) {
    let address = listener.local_addr().unwrap();
    let settings = format!("{ENDS_SOON}proxy.url = \"http://{address}\"");
    let world = World::start(&settings).await;
    let server = with_iphone(&world).await;
    let treating = async {
        loop {
            treat(listener.accept().await.unwrap().0).await;
        }
    };
    let began = Instant::now();
    let told = async {
        server.notify(&numbered(1)).await;
        until("the attempt ends", async || {
            for result in ["ok", "dns", "tcp", "tls", "proxy", "timeout"] {
                if connects(&world, result).await > 0.0 {
                    return Some(result);
                }
            }
            None
        })
        .await
    };
    let told = tokio::select! {
        () = treating => unreachable!("it goes on for ever"),
        told = told => told,
    };
    let took = began.elapsed();
    world.shutdown().await;
    (told, took)
}
