//! What some servers send does not delay what others send.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::world::{ChatServer, IAGO, Phone, World, message, realm, to};

const JSON: &str = "application/json";

/// Far above what a neighbour's large bodies take, and below how long those hang that they meet.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn announced_bodies_that_do_not_come_take_no_memory() {
    let (world, neighbour) = neighbourhood("").await;
    let mut hanging = Vec::new();
    for number in 0..6 {
        let server = world.chat_server(&format!("slow{number}.selfhosted.test")).await;
        hanging.push(half(&world, &server, "server/analytics", 26_000_000, 2).await);
        if number == 0 {
            let halves = (0..66).map(|_| half(&world, &server, "push/notify", 1 << 20, 2));
            hanging.extend(join_all(halves).await);
        }
    }
    passes_soon(&neighbour).await;
    drop(hanging);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_bodies_of_one_server_leave_memory_to_others() {
    let (world, neighbour) = neighbourhood("http.body_timeout = \"3s\"").await;
    let server = world.chat_server("slow.selfhosted.test").await;
    // As much as there is for all of them together.
    let halves = (0..128).map(|_| half(&world, &server, "push/notify", 1 << 20, 600_000));
    let hanging = join_all(halves).await;
    passes_soon(&neighbour).await;
    for mut connection in hanging {
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *b"HTTP/1.1 503", "a chat server tries again only then");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn multipart_bodies_of_many_parts_keep_nobody_waiting() {
    let (world, neighbour) = neighbourhood("").await;
    let mut busy = Vec::new();
    for number in 0..5 {
        let server = world.chat_server(&format!("busy{number}.selfhosted.test")).await;
        busy.push(server);
    }
    let body = "--b\r\n\r\n\r\n".repeat(800_000);
    let kind = "multipart/form-data; boundary=b";
    let sent = busy.iter().map(async |server| {
        let mut connection = world.connect(&[]).await;
        let head = head(server, "server/analytics", kind, body.len());
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(body.as_bytes()).await.unwrap();
        connection.flush().await.unwrap();
        connection
    });
    let connections = join_all(sent).await;
    passes_soon(&neighbour).await;
    for mut connection in connections {
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *b"HTTP/1.1 400", "there are no fields in it");
    }
    world.shutdown().await;
}

/// A world with room for many connections, and a server in it that is not to notice anything.
async fn neighbourhood(settings: &str) -> (World, ChatServer) {
    let room = "http.max_connections_per_address = 1000\nlimits.ip.rate = \"1000000/min\"";
    let world = World::start(&format!("{room}\n{settings}")).await;
    let neighbour = world.chat_server("neighbour.selfhosted.test").await;
    neighbour.register_phone(IAGO, &Phone::android("android")).await;
    (world, neighbour)
}

/// An upload and a notification too large for what every connection may have.
async fn passes_soon(neighbour: &ChatServer) {
    let mut realm = realm(1, "11111111-1111-4111-8111-111111111111");
    realm["added_later"] = "x".repeat(110_000).into();
    let upload = [("realms", json!([realm]))];
    let mut notification: Value = to(IAGO, message());
    notification["added_later"] = "x".repeat(70_000).into();
    let began = Instant::now();
    let passing = async {
        neighbour.upload_well(&upload).await;
        let uploaded = began.elapsed();
        neighbour.notify(&notification).await;
        (uploaded, began.elapsed() - uploaded)
    };
    let (upload, notification) = timeout(3 * SOON, passing).await.expect("both get through");
    assert!(upload < SOON && notification < SOON, "took {upload:?} and {notification:?}");
}

/// A connection on which so many of the announced bytes were sent.
async fn half(
    world: &World,
    server: &ChatServer,
    path: &str,
    announced: usize,
    sent: usize,
) -> TlsStream<TcpStream> {
    let mut connection = world.connect(&[]).await;
    let body = " ".repeat(sent);
    let request = head(server, path, JSON, announced) + &body;
    // Of a body that has to wait not all is taken from the connection.
    let written = async {
        connection.write_all(request.as_bytes()).await.unwrap();
        connection.flush().await.unwrap();
    };
    let _ = timeout(Duration::from_millis(500), written).await;
    connection
}

fn head(server: &ChatServer, path: &str, kind: &str, length: usize) -> String {
    format!(
        "POST /api/v1/remotes/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n",
        server.authorization()
    )
}
