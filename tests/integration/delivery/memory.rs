//! Memory while a push service is a black hole and notifies come in as fast as they are taken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use entities::{
    devices,
    redacted::{RedactedBytes, RedactedText},
};
use push_bouncer::sandbox::faults::Outage;
use ring::digest::{SHA256, digest};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::load::{Times, notify, tell};
use crate::world::{ChatServer, Phone, Program, Registered, Stage, User, to};

/// Several, because one has a quarter of the store at most.
const SERVERS: usize = 8;

/// Of each server; each has a phone of each kind.
const USERS: i64 = 200;

/// What a process may have above its bounds: 64 MB.
const MARGIN: u64 = 64_000_000;

/// What a notification takes in the memory of duplicates, which `push.duplicate_entries` bounds.
const REMEMBERED: u64 = 300;

/// How much is asked for.
struct Load {
    notifies: usize,
    connections: usize,
    store_bytes: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_costs_no_more_memory_than_the_store_the_duplicates_and_64_mb() {
    let load = match std::env::var_os("PUSH_BOUNCER_LONG") {
        Some(_) => Load { notifies: 200_000, connections: 128, store_bytes: 64 << 20 },
        None => Load { notifies: 20_000, connections: 32, store_bytes: 8 << 20 },
    };
    let Load { notifies, connections, store_bytes } = load;
    let stage = Stage::set(&format!(
        "push.retry_bytes = {store_bytes}\npush.answer_within = \"100ms\"\n\
         limits.server.rate = \"100000000/min\"\nhttp.shutdown_grace = \"1s\""
    ))
    .await;
    let program = Program::start(&stage).await;
    let servers = with_phones(&stage, &program).await;
    for faults in [stage.surroundings.apns.faults(), stage.surroundings.fcm.faults()] {
        faults.set_outage(Some(Outage::Silence));
    }
    let kind = if cfg!(debug_assertions) { "a debug build" } else { "a release build" };
    let (at_rest, anonymous) = program.resident_bytes();
    tell(&format!("{kind}; at rest {}", in_words((at_rest, anonymous))));

    let began = Instant::now();
    let (next, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let refused = Arc::new(AtomicUsize::new(0));
    let mut sending = JoinSet::new();
    for _ in 0..connections {
        let mut client = stage.client_of(program.address);
        let (next, answered) = (Arc::clone(&next), Arc::clone(&answered));
        let refused = Arc::clone(&refused);
        let authorizations: Vec<_> = servers.iter().map(|server| server.authorization()).collect();
        sending.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= notifies {
                    return times;
                }
                let authorization = &authorizations[number % SERVERS];
                loop {
                    let body = of_message(number);
                    let answer = notify(&mut client, authorization, body).await.unwrap();
                    match answer.0 {
                        200 => {
                            times.push(answer.1);
                            break;
                        }
                        // Until the breakers open, nothing more is taken where the store is full already.
                        503 => refused.fetch_add(1, Ordering::Relaxed),
                        other => panic!("answered with {other}"),
                    };
                    sleep(Duration::from_millis(100)).await;
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (mut most, mut shown) = (at_rest, 0);
    while answered.load(Ordering::Relaxed) < notifies {
        sleep(Duration::from_millis(100)).await;
        let (now, done) = (program.resident_bytes(), answered.load(Ordering::Relaxed));
        most = most.max(now.0);
        if done >= shown + notifies / 10 {
            shown = done;
            let seconds = began.elapsed().as_secs_f64();
            tell(&format!("{seconds:6.1} s: {done:7} notifies, {}", in_words(now)));
        }
        assert!(!sending.is_empty(), "the load goes on");
    }
    let times = sending.join_all().await.into_iter().flatten().collect();
    sleep(Duration::from_secs(2)).await;
    most = most.max(program.resident_bytes().0);
    let seconds = began.elapsed().as_secs_f64();
    tell(&format!("{seconds:.0} s in all; {}", Times::of(times).in_words()));
    let refused = refused.load(Ordering::Relaxed);
    tell(&format!("{refused} times refused: no more could be taken just then"));
    // The code of a debug build is large, and its pages count: it gets what it had at rest.
    let remembered = notifies as u64 * REMEMBERED;
    let bound =
        store_bytes + remembered + MARGIN + if cfg!(debug_assertions) { at_rest } else { 0 };
    tell(&format!("most: {:.1} MB; bound: {:.1} MB", megabytes(most), megabytes(bound)));
    assert!(most <= bound, "{most} of {bound} bytes");
    program.terminate();
    assert!(program.end().await.success());
    stage.drop_database().await;
}

/// Chat servers with their users. One user is registered; of the others rows are made, which is quicker.
async fn with_phones(stage: &Stage, program: &Program) -> Vec<ChatServer> {
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        let server = stage.chat_server_of(program.address, &format!("chat{number}.test"));
        assert_eq!(server.register().await, Registered::Created);
        for phone in
            [Phone::apple(&format!("iphone{number}")), Phone::android(&format!("android{number}"))]
        {
            server.register_phone(User::number(0), &phone).await;
        }
        servers.push(server);
    }
    let mut rows = Vec::new();
    for row in stage.devices().await {
        for user in 1..USERS {
            // An even number of hexadecimal digits is a token for both.
            let token = format!("{:016x}{user:016x}{:032x}", row.server_id, 7);
            let mut row = row.clone().into_active_model();
            row.id = sea_orm::ActiveValue::NotSet;
            row.user_id = Set(Some(user));
            let short = digest(&SHA256, token.as_bytes()).as_ref()[..16].to_vec();
            row.token_digest = Set(RedactedBytes(short));
            row.token = Set(RedactedText(token));
            rows.push(row);
        }
    }
    let database = stage.database().await;
    for rows in rows.chunks(500) {
        devices::Entity::insert_many(rows.to_vec()).exec(&database).await.unwrap();
    }
    servers
}

/// A notification of about 1.5 KB, which no other one repeats.
fn of_message(number: usize) -> String {
    let user = User::number(i64::try_from(number / SERVERS).unwrap() % USERS);
    let text = "Hello ".repeat(90);
    let body: Value = json!({
        "gcm_payload": {"event": "message", "zulip_message_id": number, "content": text},
        "apns_payload": {
            "alert": {"title": "Cordelia", "body": text},
            "custom": {"zulip": {"message_ids": [number]}},
        },
    });
    to(user, body).to_string()
}

fn in_words((all, anonymous): (u64, u64)) -> String {
    format!("{:.1} MB, {:.1} MB of it anonymous", megabytes(all), megabytes(anonymous))
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
