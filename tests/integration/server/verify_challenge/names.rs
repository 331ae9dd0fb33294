//! Where the names of hosts lead, and where the bouncer does not go.

use std::net::{Ipv4Addr, TcpListener};

use crate::world::{ANY_NUMBER, PERMITTED, SECOND_LOOPBACK, World};

const CONNECTION: &str = "Connection error occurred while communicating with the host.";

/// Only this address of loopback may be called.
const SECOND_PERMITTED: &str = "outbound.permitted_networks = [\"127.0.0.2/32\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn names_and_addresses_outside_the_public_internet_are_not_called() {
    let world = World::start(ANY_NUMBER).await;
    let host = world.chat_host(&["::1"]).await;
    for name in [
        "private.selfhosted.test",
        "mapped.selfhosted.test",
        "mixed.selfhosted.test",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::1]",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "loopback.selfhosted.test.",
    ] {
        let hostname = host.hostname(name);
        world.chat_server(&hostname).await;
        assert_eq!(world.refusal(&hostname).await, CONNECTION, "{name}");
    }
    assert!(host.heads().is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_nowhere_is_a_connection_error() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    for hostname in [
        "nx.selfhosted.test",
        "no-such-host.invalid",
        "dnstimeout.selfhosted.test",
        // Accepted as a name, by the reference too; the digits are full-width ones.
        "127.0.0.\u{ff11}",
        "localhost:0",
        "localhost:99999",
    ] {
        world.chat_server(hostname).await;
        assert_eq!(world.refusal(hostname).await, CONNECTION, "{hostname}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_was_checked_is_the_one_that_is_called() {
    let world = World::start(&format!("{SECOND_PERMITTED}{ANY_NUMBER}")).await;
    let name = "rebind.selfhosted.test";
    let authority = world.surroundings.authority();
    let host = world.chat_host_at((SECOND_LOOPBACK, 0).into(), authority, &[name]).await;
    let trap = TcpListener::bind((Ipv4Addr::LOCALHOST, host.address().port())).unwrap();
    trap.set_nonblocking(true).unwrap();
    let server = world.chat_server(&host.hostname(name)).await;

    let refusal = world.refusal(&server.hostname).await;

    assert_eq!(refusal, "The host reported it has no verification secret.");
    assert_eq!(world.dns.questions_about(name), 1, "nobody looks a second time");
    assert_eq!(world.refusal(&server.hostname).await, CONNECTION, "now it leads to 127.0.0.1");
    assert_eq!((world.dns.questions_about(name), host.heads().len()), (2, 1));
    assert!(trap.accept().is_err());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_forbidden_address_among_others_forbids_all() {
    let world = World::start(&format!("{SECOND_PERMITTED}{ANY_NUMBER}")).await;
    let name = "mixed.selfhosted.test";
    let authority = world.surroundings.authority();
    let host = world.chat_host_at((SECOND_LOOPBACK, 0).into(), authority, &[name]).await;
    let server = world.chat_server(&host.hostname(name)).await;
    assert_eq!(world.refusal(&server.hostname).await, CONNECTION);
    assert!(host.heads().is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_must_have_the_name_or_the_address() {
    let world = World::start(&format!("{PERMITTED}{ANY_NUMBER}")).await;
    let host = world.chat_host(&["xn--bcher-kva.loopback.test"]).await;
    let not_prepared = "The host reported it has no verification secret.";
    let insecure = "SSL error occurred while communicating with the host.";
    for (name, expected) in [
        ("localhost", not_prepared),
        ("127.0.0.1", not_prepared),
        ("loopback.selfhosted.test", insecure),
        // By IPv6 the address that is called is in the certificate, and the one that was named is not.
        ("[::ffff:127.0.0.1]", insecure),
    ] {
        let hostname = host.hostname(name);
        world.chat_server(&hostname).await;
        assert_eq!(world.refusal(&hostname).await, expected, "{name}");
    }
    assert_eq!(host.heads().len(), 2);
    world.shutdown().await;
}
