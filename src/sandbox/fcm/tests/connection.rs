//! Streams and protocols.

use super::*;

#[tokio::test]
async fn a_hundred_streams_are_open_from_the_start() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    peer.wait_for_streams(100).await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let message = to("device");
    let answers = join_all((0..300).map(|_| send(&peer, &token, &message)));
    assert!(answers.await.iter().all(|answer| answer.status == 200));
    actors.fcm.set_streams(3);
    peer.wait_for_streams(3).await;
    actors.fcm.shutdown().await;
}

#[tokio::test]
async fn http1_is_spoken_too() {
    let actors = Actors::start().await;
    let mut stream =
        tls(&actors.authority, actors.fcm.address(), &[b"http/1.1"], None).await.unwrap();
    let request = "POST /token HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\
                   connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains(r#""error":"unsupported_grant_type""#), "{answer}");
}
