//! The hosts of the recorded transfers, on the ports they had.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process,
    sync::atomic::{AtomicU8, Ordering},
};

use push_bouncer::sandbox::{
    authority::Authority,
    chat_host::{ChatHost, Manner},
};
use tokio::net::TcpListener;

use crate::world::World;

/// The hosts; they go when this is dropped.
pub(crate) struct Hosts {
    /// A chat server's, which shows what it is told to.
    pub(crate) proper: ChatHost,
    _odd: Vec<ChatHost>,
    _silent: TcpListener,
}

impl Hosts {
    /// Starts them where `localhost` leads to from now on: on an address of loopback that no other replay
    /// has, since the ports are fixed.
    pub(crate) async fn start(world: &World) -> Self {
        static REPLAYS: AtomicU8 = AtomicU8::new(64);
        let [_, high, middle, low] = process::id().to_be_bytes();
        let replay = REPLAYS.fetch_add(1, Ordering::Relaxed).wrapping_add(high);
        let address = Ipv4Addr::new(127, replay, middle, low);
        world.dns.lead_localhost_to(address);
        let at = |port: u16| SocketAddr::from((address, port));

        let trusted = world.surroundings.authority();
        let unknown = Authority::new().expect("an authority can be made");
        let mut odd = vec![world.chat_host_at(at(9445), &unknown, &[]).await];
        let content =
            |secret: &str| Manner::Content(format!("{{\"verification_secret\":\"{secret}\"}}"));
        for (port, manner) in [
            (9446, Manner::Status(500)),
            (9447, Manner::Status(404)),
            (9448, content("not hexadecimal")),
            (9449, Manner::Content("{\"result\":\"success\"}".to_owned())),
            (9450, Manner::Proper),
            // `localhost:9453:1:AAAA`.
            (9453, content("6C6F63616C686F73743A393435333A313A41414141")),
            (9454, Manner::Content("<html>".to_owned())),
            (9455, Manner::Redirect("https://localhost:9450/".to_owned())),
        ] {
            let host = world.chat_host_at(at(port), trusted, &[]).await;
            host.behave(manner);
            odd.push(host);
        }
        let silent = TcpListener::bind(at(9452)).await.expect("the address is free");
        let proper = world.chat_host_at(at(9444), trusted, &[]).await;
        Self { proper, _odd: odd, _silent: silent }
    }
}
