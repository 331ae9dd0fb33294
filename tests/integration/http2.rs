//! HTTP/2 from chat servers, and from proxies in front.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use crate::world::{ChatServer, IAGO, Phone, World, message, to};

const STATUS: &str = "/api/v1/remotes/server/analytics/status";
const NOTIFY: &str = "/api/v1/remotes/push/notify";

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_over_http2_reaches_the_phone() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    let mut connection = connect(&world).await;
    let body = to(IAGO, message()).to_string();
    let answer = send(&mut connection, request(Method::POST, NOTIFY, &server, body)).await;
    let json: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!((answer.status().as_u16(), &json["total_android_devices"]), (200, &1.into()));
    assert_eq!(world.arrived(), (0, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_share_one_connection() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    let connection = connect(&world).await;
    let sending = (0..200).map(|_| {
        let (mut connection, body) = (connection.clone(), to(IAGO, message()).to_string());
        let request = request(Method::POST, NOTIFY, &server, body);
        async move { send(&mut connection, request).await.status() }
    });
    let statuses = join_all(sending).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(world.arrived(), (0, 200));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_those_of_the_endpoint() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let mut connection = connect(&world).await;
    for (method, path, status, allow) in [
        (Method::OPTIONS, NOTIFY, 204, Some("POST")),
        (Method::OPTIONS, STATUS, 204, Some("GET, HEAD")),
        (Method::GET, NOTIFY, 405, Some("POST")),
        (Method::HEAD, STATUS, 200, None),
        (Method::GET, STATUS, 200, None),
    ] {
        let asked = request(method.clone(), path, &server, String::new());
        let answer = send(&mut connection, asked).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        let allowed = answer.headers().get(header::ALLOW).map(|allow| allow.to_str().unwrap());
        assert_eq!(allowed, allow, "{method} {path}");
        let has_body = !matches!(method, Method::OPTIONS | Method::HEAD);
        assert_eq!(answer.body().is_empty(), !has_body, "{method} {path}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_slashes_are_one_and_a_trailing_one_is_not_found() {
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let mut connection = connect(&world).await;
    for (path, status) in [
        ("//api/v1/remotes/server/analytics/status", 200),
        ("/api//v1/remotes///server/analytics/status", 200),
        ("/api/v1/remotes/server/analytics/status/", 404),
    ] {
        let asked = request(Method::GET, path, &server, String::new());
        assert_eq!(send(&mut connection, asked).await.status(), status, "{path}");
    }
    world.shutdown().await;
}

async fn connect(world: &World) -> SendRequest<Full<Bytes>> {
    let stream = world.connect(&["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the server prefers HTTP/2");
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Response<Bytes> {
    let answering = async {
        let (head, body) = connection.send_request(request).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    };
    let deadline = std::time::Duration::from_secs(30);
    tokio::time::timeout(deadline, answering).await.expect("the bouncer answers")
}

fn request(method: Method, path: &str, server: &ChatServer, body: String) -> Request<Full<Bytes>> {
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", server.org_id, server.org_key));
    Request::builder()
        .method(method)
        .uri(format!("https://push.sandbox.test{path}"))
        .header(header::AUTHORIZATION, format!("Basic {credentials}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}
