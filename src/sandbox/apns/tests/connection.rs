//! What Apple demands of a connection and its streams.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn one_stream_until_authenticated_then_as_many_as_announced() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    peer.wait_for_streams(1).await;
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    peer.wait_for_streams(1000).await;

    for streams in [7, 1, 500] {
        actors.apns.set_streams(streams);
        peer.wait_for_streams(streams as usize).await;
    }
    let answers = join_all((0..300).map(|_| actors.push(DEVICE).send(&peer))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(actors.apns.counters().refused_streams, 0);

    let fresh = actors.connect().await;
    fresh.wait_for_streams(1).await;
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let actors = Actors::start().await;
    actors.apns.set_latency(Duration::from_millis(200));
    let peer = actors.connect().await;
    // The client has not seen the limit yet: it opens all at once.
    let answers = join_all((0..5).map(|_| peer.send(actors.push(DEVICE).request()))).await;
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    let refused =
        refused.filter(|error| error.reason() == Some(h2::Reason::REFUSED_STREAM)).count();
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((accepted, refused), (1, 4));
    assert_eq!(actors.apns.counters().refused_streams, 4);
}

#[tokio::test]
async fn nothing_but_http2_is_spoken() {
    let actors = Actors::start().await;
    let refused = tls(&actors.authority, actors.apns.address(), &[b"http/1.1"], None).await;
    assert!(refused.is_err());
    let mut silent = tls(&actors.authority, actors.apns.address(), &[], None).await.unwrap();
    let read = tokio::io::AsyncReadExt::read(&mut silent, &mut [0; 1]).await;
    assert!(matches!(read, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_shutdown_ends_its_connections() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    let request = actors.push(DEVICE).request();
    let address = actors.apns.address();
    actors.apns.shutdown().await;
    assert!(peer.send(request).await.is_err());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_cancelled_stream_makes_room_for_another() {
    let actors = Actors::start().await;
    actors.apns.set_latency(Duration::from_secs(3600));
    let peer = actors.connect().await;
    peer.wait_for_streams(1).await;
    let mut abandoned = Box::pin(peer.send(actors.push(DEVICE).request()));
    while actors.apns.requests().is_empty() {
        assert!(futures_util::poll!(&mut abandoned).is_pending());
        tokio::task::yield_now().await;
    }
    drop(abandoned);
    actors.apns.set_latency(Duration::ZERO);
    assert_eq!(actors.push(DEVICE).send(&peer).await.status, 200);
    assert_eq!(actors.apns.counters().refused_streams, 0);
}
