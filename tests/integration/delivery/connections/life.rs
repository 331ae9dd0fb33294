//! How connections are opened, left and replaced.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use h2::Reason;
use push_bouncer::sandbox::faults::{Act, Seen};
use tokio::time::{Instant, sleep};

use super::{
    beside, connections, notify_all,
    peer::{ENHANCE_YOUR_CALM, INTERNAL_ERROR, Line, NO_ERROR, Peer},
    until_accepted,
};
use crate::{
    delivery::with_phones,
    world::{IAGO, Phone, Stage, TOPICS, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn case_10_goaway_resends_above_last_stream_id() {
    const LATE: Duration = Duration::from_millis(500);
    // The first request is alone; with the seventh there are six, of which three are looked at.
    let (world, server, peer) =
        beside("", 100, |line, stream, number| match (line.number, number) {
            (1, 2..=4) => line.answer_after(stream, LATE),
            (1, 7) => line.goaway(stream - 6, NO_ERROR, "{\"reason\":\"Shutdown\"}"),
            (1, 5..) => {}
            _ => line.answer(stream),
        })
        .await;
    notify_all(&server, [0]).await;
    notify_all(&server, 1..7).await;

    until_accepted(&world, 7).await;
    let lines = peer.lines();
    let answered: Vec<usize> = lines.iter().map(|line| line.seen().answered).collect();
    assert_eq!(answered, [4, 3], "three were answered by the old connection, three by the new one");
    assert_eq!(lines[0].seen().heads.len(), 7);
    let goaways = ["provider=\"apns\"", "reason=\"no_error\""];
    world.until_metric("push_bouncer_provider_goaways_total", &goaways, 1.0).await;
    until("the old connection is closed", async || lines[0].is_closed().then_some(())).await;
    assert_eq!((connections(&world, "open").await, connections(&world, "draining").await), (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_connection_whose_answer_says_shutdown_is_left() {
    let (world, server) = with_phones("", &[Phone::apple("iphone")]).await;
    let arrived: Arc<Mutex<Vec<u64>>> = Arc::default();
    let noted = Arc::clone(&arrived);
    let script = move |seen: &Seen| {
        let mut noted = noted.lock().unwrap();
        noted.push(seen.connection);
        if noted.len() == 2 { Act::Refuse("Shutdown".to_owned()) } else { Act::Answer }
    };
    world.surroundings.apns.faults().set_script(Some(Arc::new(script)));

    for number in 0..3 {
        notify_all(&server, [number]).await;
    }

    // The refused one is tried again.
    until_accepted(&world, 3).await;
    assert_eq!(*arrived.lock().unwrap(), [1, 1, 2, 2]);
    until("the first one is closed", async || {
        (connections(&world, "draining").await == 0).then_some(())
    })
    .await;
    assert_eq!(connections(&world, "open").await, 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_goes_away_between_pushes_is_replaced_before_the_next_one() {
    let (world, server, peer) = beside("", 100, |line, stream, _| line.answer(stream)).await;
    notify_all(&server, [0]).await;
    peer.lines()[0].goaway(1, NO_ERROR, "");
    until("there is another connection", async || (peer.lines().len() == 2).then_some(())).await;
    notify_all(&server, [1]).await;
    until_accepted(&world, 2).await;
    assert_eq!(peer.lines().len(), 2);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_11_refused_stream_is_resent_and_an_unknown_one_is_not_lost() {
    let (world, server) = with_phones("", &[Phone::apple("iphone")]).await;
    let ids: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let noted = Arc::clone(&ids);
    let script = move |seen: &Seen| {
        let mut noted = noted.lock().unwrap();
        noted.push(seen.apns_id.clone());
        let reset = |code| Act::Reset { code, is_accepted: false };
        match noted.len() {
            2 => reset(Reason::REFUSED_STREAM),
            4 => reset(Reason::INTERNAL_ERROR),
            _ => Act::Answer,
        }
    };
    world.surroundings.apns.faults().set_script(Some(Arc::new(script)));
    for number in 0..4 {
        notify_all(&server, [number]).await;
    }

    until_accepted(&world, 4).await;
    let ids = ids.lock().unwrap().clone();
    assert!(ids.iter().all(Option::is_some));
    let same_as_before: Vec<bool> = ids.windows(2).map(|two| two[0] == two[1]).collect();
    assert_eq!(same_as_before, [false, true, false, true, false], "resent, and tried again");
    let retries = async |cause| {
        world.metric("push_bouncer_push_retries_total", &["provider=\"apns\"", cause]).await
    };
    let counted = (retries("cause=\"goaway\"").await, retries("cause=\"interrupted\"").await);
    assert_eq!(counted, (1.0, 1.0));
    assert_eq!(world.surroundings.apns.counters().connections, 1, "it is as good as before");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_14_silence_is_found_by_ping_and_the_connection_replaced() {
    let settings = "outbound.ping_interval = \"300ms\"\noutbound.ping_timeout = \"600ms\"\n\
                    apns.sandbox.attempt_timeout = \"10s\"\npush.answer_within = \"100ms\"";
    let (world, server, peer) = beside(settings, 100, |line, stream, _| line.answer(stream)).await;
    notify_all(&server, [0]).await;
    until("it is asked whether it is there", async || {
        (peer.lines()[0].seen().pings > 1).then_some(())
    })
    .await;
    let first = Arc::clone(&peer.lines()[0]);
    first.fall_silent();
    notify_all(&server, [1]).await;

    until("there is another connection", async || (peer.lines().len() == 2).then_some(())).await;
    assert!(!first.is_closed(), "it is there before the first one is given up");
    let began = Instant::now();
    until("the silent one is closed", async || first.is_closed().then_some(())).await;
    // Without PING its request would have kept it for ten seconds.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    notify_all(&server, [2]).await;
    until("the other one serves", async || (peer.lines()[1].seen().answered > 0).then_some(()))
        .await;
    until("nothing of the first is left", async || {
        (connections(&world, "draining").await == 0).then_some(())
    })
    .await;
    assert_eq!(connections(&world, "open").await, 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_15_each_app_has_its_own_connections() {
    let stage = Stage::set("").await;
    let tls = stage.surroundings.authority().server_config(&["127.0.0.1"], &[b"h2"]);
    let peer = Peer::start(tls.unwrap(), 100, |line, stream, _| line.answer(stream)).await;
    let config = stage.config_with_services_at(peer.address);
    // The same again as another app, which is another team's as far as the pool knows.
    let apple =
        config.lines().filter(|line| line.starts_with("apns.sandbox.") && !line.contains("topics"));
    let other: String =
        apple.map(|line| line.replace("apns.sandbox.", "apns.other.") + "\n").collect();
    let both = format!("topics = {TOPICS:?}");
    let [mine, others] = TOPICS.map(|topic| format!("topics = {:?}", [topic]));
    let config = config.replace(&both, &mine) + &other + "apns.other." + &others + "\n";
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("iphone")).await;
    server.register_phone(IAGO, &Phone { app_id: TOPICS[1], ..Phone::apple("ipad") }).await;

    for number in 0..5 {
        notify_all(&server, [number]).await;
    }

    until_accepted(&world, 10).await;
    let arrived: Vec<usize> = peer.lines().iter().map(|line| line.seen().heads.len()).collect();
    assert_eq!(arrived, [5, 5]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_26_calm_is_kept_after_enhance_your_calm() {
    let settings = "push.answer_within = \"100ms\"\napns.sandbox.attempt_timeout = \"8s\"";
    let (world, server, peer) = beside(settings, 100, |line, stream, number| {
        if line.number == 1 && number == 40 {
            line.goaway(0, ENHANCE_YOUR_CALM, "{\"reason\":\"TooManyRequests\"}");
        } else if line.number == 2 || number == 1 {
            line.answer_after(stream, Duration::from_millis(100));
        }
    })
    .await;
    notify_all(&server, [0]).await;
    until_accepted(&world, 1).await;
    let began = Instant::now();
    notify_all(&server, 1..60).await;

    while began.elapsed() < Duration::from_millis(900) {
        assert_eq!(peer.lines().len(), 1, "at first it is left alone");
        sleep(Duration::from_millis(20)).await;
    }
    let mut number = 60;
    until("there is another connection", async || {
        number += 1;
        notify_all(&server, [number]).await;
        (peer.lines().len() > 1).then_some(())
    })
    .await;
    until("it takes pushes", async || (peer.lines()[1].seen().answered > 0).then_some(())).await;
    notify_all(&server, number + 1..number + 60).await;
    assert_eq!(peer.lines().len(), 2, "one that replaces the first, and no storm");
    let most_open = peer.lines()[1].seen().most_open;
    assert!((1..=25).contains(&most_open), "it allows 100 and gets {most_open} at once so soon");
    let goaways = ["provider=\"apns\"", "reason=\"enhance_your_calm\""];
    world.until_metric("push_bouncer_provider_goaways_total", &goaways, 1.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_connections_are_replaced_under_load_without_a_failed_push() {
    let settings = "outbound.max_connection_age = \"700ms\"\napns.sandbox.connections = 1";
    let (world, server, peer) = beside(settings, 100, |line, stream, _| {
        line.answer_after(stream, Duration::from_millis(30));
    })
    .await;
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(4) {
        notify_all(&server, sent..sent + 5).await;
        sent += 5;
    }
    until_accepted(&world, sent).await;
    assert_eq!((peer.arrived(), peer.answered()), (sent, sent), "each was sent once");
    let lines = peer.lines();
    // Each lives for 700 ms and until its successor was answered.
    assert!((4..=8).contains(&lines.len()), "{}", lines.len());
    // The last one may be old by now too, and its successor not be needed yet.
    let last_two = lines.len() - 2;
    until("the old ones are closed", async || {
        lines[..last_two].iter().all(|line| line.is_closed()).then_some(())
    })
    .await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_connections_do_not_pile_up_where_nothing_is_sent() {
    let settings = "outbound.max_connection_age = \"200ms\"\napns.sandbox.connections = 1";
    let (world, server, peer) = beside(settings, 100, |line, stream, _| line.answer(stream)).await;
    notify_all(&server, [0]).await;
    until("many took the place of another", async || (peer.lines().len() >= 8).then_some(())).await;
    // One that is old, its successor, and one that leaves just now.
    let open = connections(&world, "open").await;
    assert!(open <= 3, "{open} connections for nothing");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_opened_by_need_and_closed_when_idle() {
    let settings = "outbound.idle_timeout = \"600ms\"\napns.sandbox.connections = 3";
    let (world, server, peer) = beside(settings, 2, |line, stream, _| {
        line.answer_after(stream, Duration::from_millis(50));
    })
    .await;
    for number in 0..5 {
        notify_all(&server, [number]).await;
    }
    assert_eq!(peer.lines().len(), 1, "one after the other need one connection");
    notify_all(&server, 5..60).await;
    until_accepted(&world, 60).await;
    assert_eq!(peer.lines().len(), 3, "many at once need as many as there may be");
    assert_eq!(peer.lines().iter().map(|line| line.seen().violations).sum::<usize>(), 0);
    let streams = world.metric("push_bouncer_provider_streams_max", &["provider=\"apns\""]).await;
    assert_eq!(streams, 6.0);
    until("the others are closed", async || (connections(&world, "open").await == 1).then_some(()))
        .await;
    sleep(Duration::from_millis(900)).await;
    let closed: Vec<bool> = peer.lines().iter().map(|line| line.is_closed()).collect();
    assert_eq!(closed, [false, true, true], "the first one stays");
    let answers = ["provider=\"apns\"", "code=\"200\""];
    world.until_metric("push_bouncer_provider_responses_total", &answers, 60.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_closes_fresh_connections_is_not_stormed() {
    // While its breaker is open, notifies are answered at once.
    let settings = "push.answer_within = \"100ms\"\nlimits.server.rate = \"1000000/min\"";
    let (world, server, peer) = beside(settings, 100, |line: &Arc<Line>, _, _| {
        line.goaway(0, INTERNAL_ERROR, "");
    })
    .await;
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(3) {
        notify_all(&server, number..number + 20).await;
        number += 20;
    }
    let opened = peer.lines().len();
    assert!(opened <= 8, "{opened} connections in three seconds");
    world.shutdown().await;
}
