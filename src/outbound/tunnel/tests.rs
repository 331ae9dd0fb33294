//! What is said to a proxy, and what may come back, over real sockets.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, net::TcpListener, time::timeout};

use super::*;

/// What the tunnel to `host` comes to when the proxy sends `answer`, and what was said to the proxy.
async fn answered(
    answer: &'static [u8],
    proxy: &str,
    host: &str,
) -> (Result<TcpStream, TunnelError>, String, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let proxy = ProxyUrl::parse(proxy).unwrap().unwrap();
    let peer = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(peer.read_u8().await.unwrap());
        }
        peer.write_all(answer).await.unwrap();
        (String::from_utf8(head).unwrap(), peer)
    };
    let both = async { tokio::join!(through(&proxy, stream, host, 2197), peer) };
    let (result, (head, peer)) = timeout(Duration::from_secs(10), both).await.unwrap();
    (result, head, peer)
}

async fn refused(answer: &'static [u8]) -> String {
    answered(answer, "http://p:1", "a.test").await.0.unwrap_err().to_string()
}

#[tokio::test]
async fn the_proxy_is_told_the_host_and_who_we_are() {
    for (host, proxy, head) in [
        ("a.test", "http://p:1", "CONNECT a.test:2197 HTTP/1.1\r\nHost: a.test:2197\r\n\r\n"),
        (
            "2001:db8::1",
            "http://Aladdin:open%20sesame@p:1",
            "CONNECT [2001:db8::1]:2197 HTTP/1.1\r\nHost: [2001:db8::1]:2197\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
        ),
    ] {
        let (result, told, _peer) = answered(b"HTTP/1.1 200 OK\r\n\r\n", proxy, host).await;
        assert_eq!(told, head);
        result.unwrap();
    }
}

#[tokio::test]
async fn any_success_opens_a_tunnel_in_which_bytes_pass_both_ways() {
    // "A server MUST NOT send any Transfer-Encoding or Content-Length header fields in a 2xx (Successful)
    // response to CONNECT. A client MUST ignore" them, RFC 9110 section 9.3.6.
    for answer in [
        &b"HTTP/1.1 200 Connection established\r\n\r\n"[..],
        b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let (result, _, mut peer) = answered(answer, "http://p:1", "a.test").await;
        let mut tunnel =
            result.unwrap_or_else(|error| panic!("{error} in {}", answer.escape_ascii()));
        // More than all that was counted before.
        let bytes = vec![7; 3 * 8 * 1024];
        for _ in 0..2 {
            let mut read = vec![0; bytes.len()];
            let (written, received) =
                tokio::join!(peer.write_all(&bytes), tunnel.read_exact(&mut read));
            written.unwrap();
            received.unwrap();
            assert_eq!(read, bytes);
            std::mem::swap(&mut tunnel, &mut peer);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_its_status_and_nothing_of_its_text() {
    for (answer, told) in [
        (&b"HTTP/1.1 403 Secret\r\nContent-Length: 6\r\n\r\nSecret"[..], "it refused (status 403)"),
        (b"HTTP/1.1 502 Secret\r\n\r\nSecret", "it refused (status 502)"),
        (b"HTTP/1.1 301 Secret\r\nLocation: http://s\r\n\r\n", "it refused (status 301)"),
        (b"HTTP/1.1 101 Secret\r\nUpgrade: x\r\n\r\n", "it refused (status 101)"),
        (b"HTTP/1.1 407 Secret\r\n\r\n", "it wants other credentials (status 407)"),
    ] {
        assert_eq!(refused(answer).await, told);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_bounded() {
    let no_answer = TunnelError::Answer.to_string();
    assert_eq!(refused(b"SSH-2.0-OpenSSH_9.2\r\n").await, no_answer);
    assert_eq!(refused(b"HTTP/1.1 200 OK\r\n\r\nand more").await, no_answer, "too early");
    let header = b"X-Header: and another one\r\n".repeat(400);
    let long = [b"HTTP/1.1 200 OK\r\n".as_slice(), &header, b"\r\n"].concat();
    assert_eq!(refused(long.leak()).await, no_answer);
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(400);
    assert_eq!(
        refused([&interim[..], b"HTTP/1.1 200 OK\r\n\r\n"].concat().leak()).await,
        no_answer
    );
}
