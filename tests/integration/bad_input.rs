//! Whatever arrives, a client gets a JSON error of the right class or a closed connection, and the
//! next request is served.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::TcpStream,
    time::{interval, timeout},
};

use crate::world::World;
use requests::{ID, KEY, Malformed, Manner};

mod neighbours;
mod requests;

/// Deadlines short enough to wait for.
const SHORT_DEADLINES: &str = r#"
http.handshake_timeout = "500ms"
http.header_timeout = "500ms"
http.body_timeout = "500ms"
limits.ip.rate = "1000000/min"
"#;

/// When a connection that must be closed has not been; far above the deadlines.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// What came back on a connection until it was closed.
#[derive(Debug)]
enum Ending {
    /// A status and a body, none when it was empty.
    Answered(u16, Option<Value>),
    /// Nothing.
    Closed,
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_an_error_of_the_right_class() {
    let world = World::start("limits.ip.rate = \"1000000/min\"").await;
    register(&world).await;
    let mut wrong = Vec::new();
    for Malformed { name, bytes, statuses, manner } in requests::all() {
        let ending = exchange(world.connect(&[]).await, &bytes).await;
        let right = match &ending {
            Ending::Answered(status, body) => {
                statuses.contains(status) && (manner == Manner::Bare || is_error(body.as_ref()))
            }
            Ending::Closed => manner != Manner::Json,
        };
        if !right {
            wrong.push(format!("{name}: expected {statuses:?}, got {ending:?}"));
        }
        if !serves(&world).await {
            wrong.push(format!("{name}: the next request is not served"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_never_shakes_hands_is_closed() {
    let world = World::start(SHORT_DEADLINES).await;
    let silent = TcpStream::connect(world.address()).await.unwrap();
    assert_closed(silent).await;
    let mut garbage = TcpStream::connect(world.address()).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\xff\x16\x03").await.unwrap();
    assert_closed(garbage).await;
    assert!(serves(&world).await, "the next request is served");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_then_silence_is_closed() {
    let world = World::start(SHORT_DEADLINES).await;
    register(&world).await;
    let path = "POST /api/v1/remotes/push/notify HTTP/1.1\r\nHost: x\r\n";
    let half_a_head = format!("{path}User-Ag");
    let half_a_body =
        format!("{path}{}Content-Length: 100\r\n\r\n{{\"user", requests::authorization(ID, KEY));
    for half in [String::new(), half_a_head, half_a_body] {
        let mut stream = world.connect(&[]).await;
        stream.write_all(half.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        assert_closed(stream).await;
        assert!(serves(&world).await, "the next request is served");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_trickles_in_is_closed() {
    let world = World::start(SHORT_DEADLINES).await;
    register(&world).await;
    let head = "GET /api/v1/remotes/server/analytics/status HTTP/1.1\r\nHost: x\r\nX-Padding: ";
    let body = format!(
        "POST /api/v1/remotes/push/register HTTP/1.1\r\nHost: x\r\n{}Content-Length: 100000\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        requests::authorization(ID, KEY)
    );
    for start in [head, &body] {
        let (mut reader, mut writer) = split(world.connect(&[]).await);
        writer.write_all(start.as_bytes()).await.unwrap();
        let trickle = async {
            // Often enough that a deadline between two bytes would never pass.
            let mut ticks = interval(Duration::from_millis(100));
            while writer.write_all(b"a").await.is_ok() && writer.flush().await.is_ok() {
                ticks.tick().await;
            }
        };
        let ended = async {
            tokio::select! {
                () = trickle => {}
                _ = ending(&mut reader) => {}
            }
        };
        timeout(CLOSED_WITHIN, ended).await.expect("the slow connection is closed");
        assert!(serves(&world).await, "the next request is served");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_preface_then_silence_is_closed() {
    let world = World::start(SHORT_DEADLINES).await;
    for protocols in [&[][..], &["h2"], &["h2", "http/1.1"]] {
        let mut stream = world.connect(protocols).await;
        // A server that speaks no HTTP/2 may close before all of it is written.
        let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let _ = stream.flush().await;
        assert_closed(stream).await;
        assert!(serves(&world).await, "the next request is served");
    }
    world.shutdown().await;
}

/// Writes all of `bytes` while reading until the connection is closed.
async fn exchange<S: AsyncRead + AsyncWrite>(stream: S, bytes: &[u8]) -> Ending {
    let (mut reader, mut writer) = split(stream);
    let write = async {
        // A server that has heard enough closes before the end.
        let _ = writer.write_all(bytes).await;
        let _ = writer.flush().await;
    };
    let exchanged = async { tokio::join!(write, ending(&mut reader)).1 };
    timeout(CLOSED_WITHIN, exchanged).await.expect("an answered connection is closed")
}

async fn ending<R: AsyncRead + Unpin>(reader: &mut R) -> Ending {
    let mut received = Vec::new();
    // An abrupt end counts like a proper one: what came before it is looked at.
    let _ = reader.read_to_end(&mut received).await;
    let text = String::from_utf8_lossy(&received);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ending::Closed };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = (!body.is_empty())
        .then(|| serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())));
    status.map_or(Ending::Closed, |status| Ending::Answered(status, body))
}

/// The connection ends by itself; what is said before is a refusal, or that it took too long.
async fn assert_closed<S: AsyncRead + Unpin>(mut stream: S) {
    let ending = timeout(CLOSED_WITHIN, ending(&mut stream)).await;
    match ending.expect("the connection is closed") {
        Ending::Answered(status, body) => {
            assert!((400..500).contains(&status) || status == 503, "got {status} {body:?}");
        }
        Ending::Closed => {}
    }
}

fn is_error(body: Option<&Value>) -> bool {
    let text = |key| body.and_then(|body: &Value| body.get(key)).and_then(Value::as_str);
    text("result") == Some("error") && text("msg").is_some_and(|msg| !msg.is_empty())
}

/// Whether an ordinary request gets its ordinary answer.
async fn serves(world: &World) -> bool {
    let request = requests::status_without_credentials();
    matches!(world.client().send(request).await, Ok(answer) if answer.status == 401)
}

/// Makes the server that the requests authenticate as.
async fn register(world: &World) {
    let answer = world.client().send(requests::registration()).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}
