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

mod shared;

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use push_bouncer::{
    clock::Clock,
    sandbox::{
        remote_server::RemoteServer,
        surroundings::{Surroundings, SurroundingsOptions},
    },
};
use rustls::ClientConfig;
use serde_json::json;
use tokio::time::{Instant, sleep};

use shared::{Bouncer, Call, connect, cpu_seconds, free_port, post, tls};

/// Users with two phones each; requests go to them in turn.
const USERS: usize = 100;

/// Requests over each connection before anything is measured.
const WARM_UP: usize = 50;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::main]
async fn main() {
    let (requests, connections) = (setting("REQUESTS", 100_000), setting("CONNECTIONS", 32));
    let port = free_port().unwrap();
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
    let bouncer = Bouncer::start(&surroundings).unwrap();
    let address = ([127, 0, 0, 1], port).into();
    let server = RemoteServer::new(address, surroundings.authority(), "chat.example.org").unwrap();
    wait_until_it_serves(&server).await;
    println!("resident memory at rest: {:.1} MB", bouncer.memory().unwrap());
    register_phones(&server).await;

    let tls = tls(&surroundings).unwrap();
    let per_connection = requests / connections;
    let request = Arc::new((server.authorization(), bodies()));
    // Connections to the push services, caches and statements are there before anything is measured.
    run(port, &tls, &request, connections, 0..WARM_UP).await;
    let process = bouncer.process.id();
    let (cpu_before, began) = (cpu_seconds(process).unwrap(), Instant::now());
    run(port, &tls, &request, connections, WARM_UP..WARM_UP + per_connection).await;
    let (cpu, wall) = (cpu_seconds(process).unwrap() - cpu_before, began.elapsed().as_secs_f64());
    let sent = per_connection * connections;
    println!("{sent} requests over {connections} connections in {wall:.2} s");
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 requests")]
    let per_request = cpu * 1e6 / sent as f64;
    println!("CPU per request: {per_request:.1} us, per push: {:.1} us", per_request / 2.0);
    println!("resident memory after the load: {:.1} MB", bouncer.memory().unwrap());
    let (apns, fcm) = (surroundings.apns.counters(), surroundings.fcm.counters());
    println!("accepted by APNs: {}, by FCM: {}", apns.accepted, fcm.accepted);
    let all = (connections * WARM_UP + sent) as u64;
    assert_eq!((apns.accepted, fcm.accepted), (all, all), "each was sent");
    println!("connections: {} to APNs, {} to FCM", apns.connections, fcm.connections);
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

/// Stands where each request has a number of its own: what comes again is not sent again.
const MESSAGE: u64 = 1_000_000_000;

/// A body with this number of its message.
fn numbered(body: &str, message: u64) -> Bytes {
    Bytes::from(body.replace(&MESSAGE.to_string(), &(MESSAGE + message).to_string()))
}

/// The body of a message as a server of 10.x sends it, one for each user.
fn bodies() -> Vec<String> {
    let about = json!({
        "server": "chat.example.org", "realm_id": 2, "realm_name": "Example",
        "realm_uri": "https://chat.example.org", "realm_url": "https://chat.example.org", "user_id": 7,
        "sender_id": 5, "sender_email": "cordelia@chat.example.org", "time": 1_800_000_000,
        "recipient_type": "stream", "stream": "design", "stream_id": 3, "topic": "colours",
    });
    let mut gcm = about.clone();
    for (name, value) in [
        ("event", json!("message")),
        ("zulip_message_id", json!(MESSAGE)),
        ("content", json!("Shall we take the green one? It goes well with the grey of the walls.")),
        ("content_truncated", json!(false)),
        ("sender_full_name", json!("Cordelia")),
        ("sender_avatar_url", json!("https://chat.example.org/avatar/5")),
    ] {
        gcm[name] = value;
    }
    let mut custom = about;
    custom["message_ids"] = json!([MESSAGE]);
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
        body.to_string()
    };
    (0..USERS).map(body).collect()
}

async fn run(
    port: u16,
    tls: &Arc<ClientConfig>,
    request: &Arc<(String, Vec<String>)>,
    connections: usize,
    numbers: Range<usize>,
) {
    let tasks: Vec<_> = (0..connections)
        .map(|first| {
            let (tls, request) = (Arc::clone(tls), Arc::clone(request));
            let numbers = numbers.clone();
            tokio::spawn(async move {
                let mut sender = connect(port, tls).await.unwrap();
                for number in numbers {
                    let message = (number * connections + first) as u64;
                    let call = Call {
                        path: "push/notify",
                        content_type: "application/json",
                        authorization: request.0.clone(),
                        body: numbered(&request.1[(first + number) % USERS], message),
                    };
                    post(&mut sender, call).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
