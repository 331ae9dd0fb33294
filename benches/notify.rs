//! What a notify costs: the real program in a process of its own, fake push services and load in this one.
//!
//! `cargo bench --bench notify` prints resident memory at rest, and CPU seconds of the bouncer's process
//! over 100,000 requests for one iPhone and one Android phone each. `REQUESTS` and `CONNECTIONS` in the
//! environment change the load.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints what it measures, and ends where it cannot measure"
)]

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use push_bouncer::{
    clock::Clock,
    sandbox::{
        remote_server::RemoteServer,
        surroundings::{PUBLIC_NAME, Surroundings, SurroundingsOptions},
    },
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use serde_json::json;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_rustls::TlsConnector;

/// Users with two phones each; requests go to them in turn.
const USERS: usize = 100;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::main]
async fn main() {
    let (requests, connections) = (setting("REQUESTS", 100_000), setting("CONNECTIONS", 32));
    let port = free_port();
    let options = SurroundingsOptions {
        listen: ([127, 0, 0, 1], port).into(),
        settings: "registration.email_check = \"off\"\nlimits.server.rate = \"100000000/min\"\n\
                   http.header_timeout = \"60s\"\nlog.level = \"error\""
            .to_owned(),
        // Counters only: remembering every request would cost more than answering it.
        log_capacity: 0,
        ..SurroundingsOptions::default()
    };
    let surroundings = Surroundings::start(options, Clock::default()).await.unwrap();
    let mut bouncer = start(&surroundings);
    let address = ([127, 0, 0, 1], port).into();
    let server = RemoteServer::new(address, surroundings.authority(), "chat.example.org").unwrap();
    wait_until_it_serves(&server).await;
    println!("resident memory at rest: {:.1} MB", memory(&bouncer));
    register_phones(&server).await;

    let tls = tls(&surroundings);
    let per_connection = requests / connections;
    let request = Arc::new((server.authorization(), bodies()));
    // Connections to the push services, caches and statements are there before anything is measured.
    run(port, &tls, &request, connections, 50).await;
    let (cpu_before, began) = (cpu_seconds(&bouncer), Instant::now());
    run(port, &tls, &request, connections, per_connection).await;
    let (cpu, wall) = (cpu_seconds(&bouncer) - cpu_before, began.elapsed().as_secs_f64());
    let sent = per_connection * connections;
    println!("{sent} requests over {connections} connections in {wall:.2} s");
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 requests")]
    let per_request = cpu * 1e6 / sent as f64;
    println!("CPU per request: {per_request:.1} us, per push: {:.1} us", per_request / 2.0);
    println!("resident memory after the load: {:.1} MB", memory(&bouncer));
    let (apns, fcm) = (surroundings.apns.counters(), surroundings.fcm.counters());
    println!("accepted by APNs: {}, by FCM: {}", apns.accepted, fcm.accepted);
    println!("connections: {} to APNs, {} to FCM", apns.connections, fcm.connections);
    bouncer.kill().unwrap();
    bouncer.wait().unwrap();
}

fn start(surroundings: &Surroundings) -> Child {
    Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
        .args(["serve", "--config"])
        .arg(surroundings.config_file())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn wait_until_it_serves(server: &RemoteServer) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !matches!(server.register("admin@chat.example.org").await, Ok(reply) if reply.status == StatusCode::OK)
    {
        assert!(Instant::now() < deadline, "the bouncer does not serve");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn register_phones(server: &RemoteServer) {
    for user in 0..USERS {
        let (user_id, android) = (user.to_string(), format!("android-phone-{user}"));
        // All zeros is the one token that Apple calls bad whatever it is sent to.
        let apple = format!("{:064x}", user + 1);
        for (kind, token) in [("1", apple), ("2", android)] {
            let fields = [
                ("user_id", user_id.as_str()),
                ("token", &token),
                ("token_kind", kind),
                ("ios_app_id", "org.example.chat"),
            ];
            let reply = server.post_form("push/register", &fields).await.unwrap();
            assert_eq!(reply.status, StatusCode::OK);
        }
    }
}

/// The body of a message as a server of 10.x sends it, one for each user.
fn bodies() -> Vec<Bytes> {
    let about = json!({
        "server": "chat.example.org", "realm_id": 2, "realm_name": "Example",
        "realm_uri": "https://chat.example.org", "realm_url": "https://chat.example.org", "user_id": 7,
        "sender_id": 5, "sender_email": "cordelia@chat.example.org", "time": 1_800_000_000,
        "recipient_type": "stream", "stream": "design", "stream_id": 3, "topic": "colours",
    });
    let mut gcm = about.clone();
    for (name, value) in [
        ("event", json!("message")),
        ("zulip_message_id", json!(42)),
        ("content", json!("Shall we take the green one? It goes well with the grey of the walls.")),
        ("content_truncated", json!(false)),
        ("sender_full_name", json!("Cordelia")),
        ("sender_avatar_url", json!("https://chat.example.org/avatar/5")),
    ] {
        gcm[name] = value;
    }
    let mut custom = about;
    custom["message_ids"] = json!([42]);
    let body = |user: usize| {
        let body = json!({
            "user_id": user, "gcm_payload": gcm, "gcm_options": {"priority": "high"},
            "apns_payload": {
                "alert": {"title": "#design > colours", "subtitle": "Cordelia:", "body": "Shall we take the green one?"},
                "sound": "default", "badge": 0, "custom": {"zulip": custom},
            },
            "android_devices": [format!("android-phone-{user}")],
            "apple_devices": [format!("{:064x}", user + 1)],
        });
        Bytes::from(body.to_string())
    };
    (0..USERS).map(body).collect()
}

async fn run(
    port: u16,
    tls: &Arc<ClientConfig>,
    request: &Arc<(String, Vec<Bytes>)>,
    connections: usize,
    per_connection: usize,
) {
    let tasks: Vec<_> = (0..connections)
        .map(|first| {
            let (tls, request) = (Arc::clone(tls), Arc::clone(request));
            tokio::spawn(async move {
                let mut sender = connect(port, tls).await;
                for number in 0..per_connection {
                    notify(&mut sender, &request.0, &request.1[(first + number) % USERS]).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn connect(port: u16, tls: Arc<ClientConfig>) -> SendRequest<Full<Bytes>> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from(PUBLIC_NAME).unwrap();
    let stream = TlsConnector::from(tls).connect(name, tcp).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn notify(sender: &mut SendRequest<Full<Bytes>>, authorization: &str, body: &Bytes) {
    let request = Request::post("/api/v1/remotes/push/notify")
        .header(header::HOST, PUBLIC_NAME)
        .header(header::USER_AGENT, "ZulipServer/10.0")
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body.clone()))
        .unwrap();
    sender.ready().await.unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
}

fn tls(surroundings: &Surroundings) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(surroundings.authority().certificate_der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Resident memory in megabytes, as Linux tells it.
fn memory(process: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1000.0
}

/// User and system time in seconds, as Linux tells it; its tick is 10 ms.
fn cpu_seconds(process: &Child) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}
