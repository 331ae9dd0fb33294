//! Names of push services: asked for each time, and remembered when nobody answers.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use push_bouncer::sandbox::surroundings::APNS_NAME;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use super::{ENDS_SOON, connects, push, relay::Relay, until_connect, with_iphone};
use crate::{
    log::Log,
    world::{Stage, World},
};

/// Addresses of loopback on which no push service listens.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A world whose bouncer knows Apple's push service by name, which leads to these addresses.
async fn with_a_name(addresses: &[IpAddr]) -> World {
    let stage = Stage::set(ENDS_SOON).await;
    stage.dns.lead(APNS_NAME, addresses);
    let apns = stage.surroundings.apns.address();
    let named = format!("https://{APNS_NAME}:{}", apns.port());
    let config = stage.surroundings.config().replace(&format!("https://{apns}"), &named);
    stage.serve(&config).await
}

async fn relay(world: &World, address: Ipv4Addr) -> Relay {
    Relay::start(address, world.surroundings.apns.address()).await.expect("the address is free")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_asked_for_each_time_a_connection_is_opened() {
    let world = with_a_name(&[FIRST.into()]).await;
    let server = with_iphone(&world).await;
    let first = relay(&world, FIRST).await;
    push(&world, &server, 1).await;
    assert_eq!(first.taken(), 1);
    assert_eq!(world.dns.questions_about(APNS_NAME), 1);

    let second = relay(&world, SECOND).await;
    world.dns.lead(APNS_NAME, &[SECOND.into()]);
    drop(first);
    push(&world, &server, 2).await;
    assert_eq!(second.taken(), 1, "the name leads there now");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_addresses_do_not_hinder_the_living_one() {
    let dead: Vec<Ipv4Addr> = (10..14).map(|last| Ipv4Addr::new(127, 0, 0, last)).collect();
    let mut addresses: Vec<IpAddr> = dead.iter().copied().map(IpAddr::from).collect();
    addresses.extend([IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), Ipv4Addr::LOCALHOST.into()]);
    let world = with_a_name(&addresses).await;
    let server = with_iphone(&world).await;
    let port = world.surroundings.apns.address().port();
    let mut queues = Vec::new();
    for address in dead {
        queues.push(fill(SocketAddr::new(address.into(), port)).await);
    }
    let began = Instant::now();
    push(&world, &server, 1).await;
    // A second is what four of them cost at most, each a quarter.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!((connects(&world, "ok").await, connects(&world, "tcp").await), (1.0, 0.0));
    world.shutdown().await;
}

/// Makes an address one that lets nobody in and says nothing, as long as what is given back lives.
async fn fill(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut queue = Vec::new();
    while let Ok(waiting) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        queue.push(waiting.unwrap());
    }
    (listener, queue)
}

#[tokio::test]
async fn the_last_known_addresses_are_used_while_no_name_server_answers() {
    let log = Log::begin();
    let world = with_a_name(&[FIRST.into()]).await;
    let server = with_iphone(&world).await;
    let relay = relay(&world, FIRST).await;
    push(&world, &server, 1).await;

    world.dns.be_silent(true);
    for number in 2..4 {
        relay.cut();
        push(&world, &server, number).await;
    }
    let told = log.about("outbound.names_silent");
    assert_eq!(told.len(), 1, "said once: {told:?}");
    assert_eq!((&told[0]["level"], &told[0]["host"]), (&"WARN".into(), &APNS_NAME.into()));

    world.dns.be_silent(false);
    relay.cut();
    push(&world, &server, 4).await;
    assert_eq!(log.about("outbound.names_answer").len(), 1);
    assert_eq!(log.about("outbound.names_silent").len(), 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_exist_is_a_name_error_that_heals() {
    let world = with_a_name(&[]).await;
    let server = with_iphone(&world).await;
    server.notify(&super::numbered(1)).await;
    until_connect(&world, "dns").await;
    world.dns.lead(APNS_NAME, &[Ipv4Addr::LOCALHOST.into()]);
    push(&world, &server, 2).await;
    world.shutdown().await;
}
