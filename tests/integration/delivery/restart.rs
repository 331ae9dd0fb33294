//! The real program is told to end while notifies come in: what it has taken is delivered or told.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use h2::Reason;
use push_bouncer::sandbox::faults::{Act, Faults, Outage};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    load::{Times, notify, tell},
    with_phones,
};
use crate::world::{
    ChatServer, IAGO, Phone, Program, Registered, Stage, User, message, sum_of, to, until,
};

/// Connections over which notifies come in, one after the other on each.
const CONNECTIONS: i64 = 24;

/// Between two notifies for one user, whose pushes go one after the other once one has failed: a quick machine must not
/// say more in a second than can be sent in the grace period.
const PACE: Duration = Duration::from_millis(100);

/// The program's end may take so much longer than its grace period.
const MARGIN: Duration = Duration::from_secs(2);

/// A program, and a chat server each of whose users has a phone of each kind.
async fn start(grace: &str) -> (Stage, Program, ChatServer) {
    let stage = Stage::set(&format!(
        "http.shutdown_grace = \"{grace}\"\npush.answer_within = \"1s\"\n\
         limits.server.rate = \"1000000/min\""
    ))
    .await;
    let program = Program::start(&stage).await;
    let server = stage.chat_server_of(program.address, "chat.selfhosted.test");
    assert_eq!(server.register().await, Registered::Created);
    for user in 0..CONNECTIONS {
        for phone in
            [Phone::apple(&format!("iphone{user}")), Phone::android(&format!("android{user}"))]
        {
            server.register_phone(User::number(user), &phone).await;
        }
    }
    (stage, program, server)
}

fn of_message(user: i64, id: i64) -> Value {
    to(
        User::number(user),
        json!({
            "gcm_payload": {"event": "message", "zulip_message_id": id, "content": "Hello"},
            "apns_payload": {
                "alert": {"title": "Cordelia", "body": "Hello"},
                "custom": {"zulip": {"message_ids": [id]}},
            },
        }),
    )
}

/// What the chat server knows in the end.
#[derive(Default)]
struct Known {
    /// Messages whose notify was answered with success.
    answered: HashSet<i64>,
    /// Notifies without an answer: nobody knows what became of them.
    unanswered: usize,
    times: Vec<Duration>,
}

/// Notifies on many connections until the program ends.
fn load(stage: &Stage, program: &Program, server: &ChatServer) -> JoinSet<Known> {
    let mut tasks = JoinSet::new();
    for user in 0..CONNECTIONS {
        let mut client = stage.client_of(program.address);
        let authorization = server.authorization();
        tasks.spawn(async move {
            let mut known = Known::default();
            for number in 1.. {
                let id = user * 1_000_000 + number;
                let body = of_message(user, id).to_string();
                match notify(&mut client, &authorization, body).await {
                    Ok((200, took)) => {
                        known.answered.insert(id);
                        known.times.push(took);
                        sleep(PACE).await;
                    }
                    Ok(_) => return known,
                    Err(_) => {
                        known.unanswered += 1;
                        return known;
                    }
                }
            }
            known
        });
    }
    tasks
}

async fn known(mut load: JoinSet<Known>) -> Known {
    let mut all = Known::default();
    while let Some(known) = load.join_next().await {
        let known = known.unwrap();
        all.answered.extend(known.answered);
        all.unanswered += known.unanswered;
        all.times.extend(known.times);
    }
    all
}

/// How often each message was accepted, at Apple's and at Google's.
fn accepted(stage: &Stage) -> [HashMap<i64, usize>; 2] {
    let mut all = [HashMap::new(), HashMap::new()];
    stage.surroundings.apns.for_each_request(|request| {
        if request.is_accepted() {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let id = body["zulip"]["message_ids"][0].as_i64().unwrap();
            *all[0].entry(id).or_default() += 1;
        }
    });
    stage.surroundings.fcm.for_each_request(|request| {
        if request.is_accepted() {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let id = body["message"]["data"]["zulip_message_id"].as_str().unwrap();
            *all[1].entry(id.parse().unwrap()).or_default() += 1;
        }
    });
    all
}

/// What the log says of pushes that were not sent: those given up, and those under way at the end.
fn told(log: &[Value]) -> (u64, u64) {
    let sum = |event: &str, field: &str| {
        let lines = log.iter().filter(|line| line["event"] == event);
        lines.filter_map(|line| line[field].as_u64()).sum()
    };
    let by_server: u64 = sum("push.given_up_at_the_end", "pushes");
    assert_eq!(by_server, sum("push.given_up", "given_up"), "the lines agree");
    (by_server, sum("push.given_up", "under_way"))
}

/// Checks that nothing was doubled and all that is missing was told; how many are missing.
fn assert_it_adds_up(stage: &Stage, known: &Known, log: &[Value]) -> u64 {
    let accepted = accepted(stage);
    for of_service in &accepted {
        assert!(of_service.values().all(|times| *times == 1), "something was doubled");
    }
    let missing = accepted
        .iter()
        .map(|of_service| known.answered.iter().filter(|id| !of_service.contains_key(id)).count());
    let missing = u64::try_from(missing.sum::<usize>()).unwrap();
    let (given_up, under_way) = told(log);
    tell(&format!(
        "{} notifies taken ({}), {} without an answer; missing {missing} of {} pushes; told: {given_up} given up, \
         {under_way} under way",
        known.answered.len(),
        Times::of(known.times.clone()).in_words(),
        known.unanswered,
        known.answered.len() * 2,
    ));
    assert!(missing <= given_up + under_way, "everything that is missing is told");
    // Pushes of a notify that was cut off are told of too.
    let of_unanswered = u64::try_from(known.unanswered * 2).unwrap();
    assert!(given_up <= missing + of_unanswered, "nothing is told that was delivered");
    missing
}

fn both(stage: &Stage) -> [(Faults, &'static str); 2] {
    [
        (stage.surroundings.apns.faults(), "ServiceUnavailable"),
        (stage.surroundings.fcm.faults(), "UNAVAILABLE"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_everything_that_was_answered_is_delivered_once() {
    let (stage, program, server) = start("14s").await;
    for (faults, unavailable) in both(&stage) {
        faults.set_latency(Duration::from_millis(20));
        faults.set_latency_spread(Duration::from_millis(80), 7);
        // Faults after which it is certain that the push was not taken.
        faults.set_script(Some(Arc::new(move |seen| match seen.number {
            number if number % 13 == 0 => Act::Refuse(unavailable.to_owned()),
            number if number % 11 == 0 => {
                Act::Reset { code: Reason::REFUSED_STREAM, is_accepted: false }
            }
            _ => Act::Answer,
        })));
    }
    let load = load(&stage, &program, &server);
    // Of three hundred notifies with two pushes each more than half are answered, however slow the machine is.
    until("there is a load", async || {
        let fakes = &stage.surroundings;
        let accepted = fakes.apns.counters().accepted + fakes.fcm.counters().accepted;
        (accepted >= 600).then_some(())
    })
    .await;
    program.terminate();
    let began = Instant::now();
    let known = known(load).await;
    let (status, log) = program.end_with_log().await;
    let took = began.elapsed();

    assert!(status.success(), "{status}");
    assert!(known.answered.len() > 150, "there was a load: {}", known.answered.len());
    let missing = assert_it_adds_up(&stage, &known, &log);
    tell(&format!("ended after {:.1} s", took.as_secs_f64()));
    assert_eq!(missing, 0, "the grace period was enough for all");
    assert!(took < Duration::from_secs(14), "nothing was left, and it ended after {took:?}");
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_outage_that_does_not_end_everything_is_told_in_time() {
    let (stage, program, server) = start("3s").await;
    for (faults, _) in both(&stage) {
        faults.set_latency(Duration::from_millis(20));
    }
    let load = load(&stage, &program, &server);
    sleep(Duration::from_secs(1)).await;
    for (faults, _) in both(&stage) {
        faults.set_outage(Some(Outage::ServiceUnavailable));
    }
    sleep(Duration::from_secs(1)).await;
    program.terminate();
    let began = Instant::now();
    let known = known(load).await;
    let (status, log) = program.end_with_log().await;
    let took = began.elapsed();

    assert!(status.success(), "{status}");
    let missing = assert_it_adds_up(&stage, &known, &log);
    tell(&format!("ended after {:.1} s", took.as_secs_f64()));
    assert!(missing > 0, "the outage was long enough to matter");
    assert!(took < Duration::from_secs(3) + MARGIN, "{took:?}");
    stage.drop_database().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_each_push_has_one_outcome_also_those_under_way() {
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    let settings = "http.shutdown_grace = \"1s\"\npush.answer_within = \"50ms\"\n\
                    apns.sandbox.attempt_timeout = \"60s\"";
    let (world, server) = with_phones(settings, &[iphone, android]).await;
    let (apns, fcm) = (world.surroundings.apns.faults(), world.surroundings.fcm.faults());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    apns.set_script(Some(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Act::Swallow
    })));
    fcm.set_retry_after(Some(Duration::from_secs(60)));
    fcm.set_outage(Some(Outage::ServiceUnavailable));
    server.notify(&to(IAGO, message())).await;
    until("one is under way and one waits", async || {
        let waiting = world.metric("push_bouncer_push_retry_entries", &["fcm"]).await;
        (waiting == 1.0 && asked.load(Ordering::Relaxed) == 1).then_some(())
    })
    .await;

    let metrics = world.shutdown_with_metrics().await;

    let given_up = |provider| {
        sum_of(&metrics, "push_bouncer_pushes_given_up_total", &[provider, "reason=\"shutdown\""])
    };
    assert_eq!((given_up("provider=\"apns\""), given_up("provider=\"fcm\"")), (1.0, 1.0));
    let outcome = |outcome| sum_of(&metrics, "push_bouncer_pushes_total", &[outcome]);
    assert_eq!((outcome("apns"), outcome("fcm")), (1.0, 1.0), "{metrics}");
    assert_eq!((outcome("\"timeout\""), outcome("\"provider_error\"")), (1.0, 1.0));
    let none = ["none_accepted", "v1"];
    assert_eq!(sum_of(&metrics, "push_bouncer_notifications_total", &none), 1.0);
}
