//! Messages that were read before they could be sent, and the order of what waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use h2::Reason;
use push_bouncer::sandbox::faults::{Act, Faults, Outage};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{NOTICED, outcomes, until_outcomes, with_phones};
use crate::world::{ChatServer, IAGO, Kind, Phone, World, to, until};

/// What a push service asks for while it fails: nothing is tried meanwhile, so that it certainly waits.
const PAUSE: Duration = Duration::from_secs(60);

/// Of what was given up because its server has no more room.
const SHARE: &str = "reason=\"server_share\"";

/// The notification of a message.
fn of_message(id: i64) -> Value {
    to(
        IAGO,
        json!({
            "gcm_payload": {"event": "message", "zulip_message_id": id, "content": "Hello"},
            "apns_payload": {
                "alert": {"title": "Cordelia", "body": "Hello"},
                "custom": {"zulip": {"message_ids": [id]}},
            },
        }),
    )
}

/// The notification that these were read elsewhere.
fn of_removal(ids: &[i64]) -> Value {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let zulip = json!({"event": "remove", "zulip_message_ids": ids.join(",")});
    to(
        IAGO,
        json!({"gcm_payload": zulip, "apns_payload": {"badge": 0, "custom": {"zulip": zulip}}}),
    )
}

fn both(world: &World) -> [Faults; 2] {
    [world.surroundings.apns.faults(), world.surroundings.fcm.faults()]
}

/// A world with a phone of each kind, whose push services fail.
async fn in_an_outage() -> (World, ChatServer) {
    let (world, server) =
        with_phones("", &[Phone::apple("iphone"), Phone::android("android")]).await;
    for faults in both(&world) {
        faults.set_retry_after(Some(PAUSE));
        faults.set_outage(Some(Outage::ServiceUnavailable));
    }
    (world, server)
}

/// Waits until so many pushes wait: a notify may be answered a moment before its push has its place among them, and a
/// removal that comes in that moment goes to the phone, which has nothing to take down then.
async fn until_waiting(world: &World, pushes: f64) {
    world.until_metric("push_bouncer_push_retry_entries", &[], pushes).await;
}

/// Ends the outage, and waits until nothing waits any more.
async fn end_outage(world: &World) {
    for faults in both(world) {
        faults.clear();
    }
    until("nothing waits any more", async || {
        world.clock.advance(PAUSE);
        sleep(NOTICED).await;
        let waiting = world.metric("push_bouncer_push_retry_entries", &[]).await;
        (waiting == 0.0).then_some(())
    })
    .await;
}

/// What the push services accepted, in its order: `m5` is message 5, `r4,5` the removal of 4 and 5.
fn shown(world: &World, kind: Kind) -> Vec<String> {
    let mut shown = Vec::new();
    let mut note = |zulip: &Value| {
        let text = |value: &Value| value.to_string().replace(['"', '[', ']'], "");
        shown.push(match zulip["zulip_message_ids"].is_null() {
            false => format!("r{}", text(&zulip["zulip_message_ids"])),
            true if zulip["message_ids"].is_null() => {
                format!("m{}", text(&zulip["zulip_message_id"]))
            }
            true => format!("m{}", text(&zulip["message_ids"])),
        });
    };
    match kind {
        Kind::Apns => world.surroundings.apns.for_each_request(|request| {
            if request.is_accepted() {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                note(&body["zulip"]);
            }
        }),
        Kind::Fcm => world.surroundings.fcm.for_each_request(|request| {
            if request.is_accepted() {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                note(&body["message"]["data"]);
            }
        }),
    }
    shown
}

#[track_caller]
fn assert_shown(world: &World, expected: &[&str]) {
    for kind in [Kind::Apns, Kind::Fcm] {
        assert_eq!(shown(world, kind), expected, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_message_that_was_read_is_not_sent_nor_is_its_removal() {
    let (world, server) = in_an_outage().await;
    server.notify(&of_message(5)).await;
    until_waiting(&world, 2.0).await;
    let answer = server.notify(&of_removal(&[5])).await;
    assert_eq!(answer["total_apple_devices"], 1);
    end_outage(&world).await;
    assert_shown(&world, &[]);
    until_outcomes(&world, "superseded", 4.0).await;
    assert_eq!(world.metric("push_bouncer_pushes_given_up_total", &[]).await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_of_other_messages_besides_goes_alone() {
    let (world, server) = in_an_outage().await;
    server.notify(&of_message(5)).await;
    until_waiting(&world, 2.0).await;
    server.notify(&of_removal(&[4, 5])).await;
    end_outage(&world).await;
    assert_shown(&world, &["r4,5"]);
    until_outcomes(&world, "superseded", 2.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_goes_where_the_message_may_have_arrived() {
    let (world, server) = in_an_outage().await;
    for (faults, refusal) in both(&world).into_iter().zip(["ServiceUnavailable", "UNAVAILABLE"]) {
        faults.set_outage(None);
        // The first is taken and its answer lost; the second is refused.
        let asked = AtomicU64::new(0);
        faults.set_script(Some(Arc::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Act::Reset { code: Reason::INTERNAL_ERROR, is_accepted: true },
            1 => Act::Refuse(refusal.to_owned()),
            _ => Act::Answer,
        })));
    }
    server.notify(&of_message(5)).await;
    until("both are refused the second time", async || (world.arrived() == (2, 2)).then_some(()))
        .await;
    // The refusal is noted a moment after it was written down there.
    until_waiting(&world, 2.0).await;
    sleep(NOTICED).await;
    server.notify(&of_removal(&[5])).await;
    end_outage(&world).await;
    assert_shown(&world, &["m5", "r5"]);
    assert_eq!(world.arrived(), (3, 3), "the message is not sent again");
    until_outcomes(&world, "superseded", 2.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_of_another_message_goes_behind_the_one_that_waits() {
    let (world, server) = in_an_outage().await;
    server.notify(&of_message(5)).await;
    until_waiting(&world, 2.0).await;
    server.notify(&of_removal(&[4])).await;
    end_outage(&world).await;
    assert_shown(&world, &["m5", "r4"]);
    assert_eq!(outcomes(&world, "superseded").await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_for_one_device_arrive_in_their_order_after_an_outage() {
    let (world, server) = in_an_outage().await;
    let mut expected = Vec::new();
    for id in 1..=20 {
        server.notify(&of_message(id)).await;
        expected.push(format!("m{id}"));
    }
    until_waiting(&world, 40.0).await;
    server.notify(&of_removal(&[7, 13])).await;
    expected.retain(|shown| shown != "m7" && shown != "m13");
    end_outage(&world).await;
    // A new one does not overtake them.
    server.notify(&of_message(21)).await;
    expected.push("m21".to_owned());
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    until("all have arrived", async || {
        let services = (&world.surroundings.apns, &world.surroundings.fcm);
        let accepted = (services.0.counters().accepted, services.1.counters().accepted);
        (accepted == (19, 19)).then_some(())
    })
    .await;
    assert_shown(&world, &expected);
    until_outcomes(&world, "superseded", 6.0).await;
    world.shutdown().await;
}

/// A world where the removal of message 5 came while the first attempt of the message had no answer yet.
async fn read_under_way(settings: &str) -> (World, ChatServer) {
    let settings = format!(
        "{settings}\npush.answer_within = \"50ms\"\napns.sandbox.attempt_timeout = \"60s\"\n\
         fcm.sandbox.attempt_timeout = \"60s\""
    );
    let (world, server) =
        with_phones(&settings, &[Phone::apple("iphone"), Phone::android("android")]).await;
    // Connections are open, and take more than one request at a time.
    server.notify(&of_message(1)).await;
    until("both have the first", async || {
        (outcomes(&world, "accepted").await == 2.0).then_some(())
    })
    .await;
    let asked = Arc::new(AtomicU64::new(0));
    for faults in both(&world) {
        let (all, own) = (Arc::clone(&asked), AtomicU64::new(0));
        faults.set_script(Some(Arc::new(move |_| {
            all.fetch_add(1, Ordering::Relaxed);
            match own.fetch_add(1, Ordering::Relaxed) {
                0 => Act::Swallow,
                _ => Act::Answer,
            }
        })));
    }
    server.notify(&of_message(5)).await;
    until("the message is under way", async || (asked.load(Ordering::Relaxed) == 2).then_some(()))
        .await;
    server.notify(&of_removal(&[5])).await;
    (world, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_read_during_its_first_attempt_is_not_sent_again() {
    let (world, _server) = read_under_way("").await;
    for faults in both(&world) {
        faults.close_connections();
    }
    until("the message has come to its end", async || {
        (world.metric("push_bouncer_pushes_total", &[]).await == 6.0).then_some(())
    })
    .await;
    until_outcomes(&world, "superseded", 2.0).await;
    assert_shown(&world, &["m1", "r5"]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_same_id_that_came_after_the_removal_is_sent() {
    let (world, server) = read_under_way("").await;
    for faults in both(&world) {
        faults.close_connections();
    }
    until("the first has come to its end", async || {
        (world.metric("push_bouncer_pushes_total", &[]).await == 6.0).then_some(())
    })
    .await;
    for (faults, refusal) in both(&world).into_iter().zip(["ServiceUnavailable", "UNAVAILABLE"]) {
        let asked = AtomicU64::new(0);
        faults.set_script(Some(Arc::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Act::Refuse(refusal.to_owned()),
            _ => Act::Answer,
        })));
    }
    let mut again = of_message(5);
    again["gcm_payload"]["content"] = "Hello again".into();
    server.notify(&again).await;
    until("it has come to its end", async || {
        (world.metric("push_bouncer_pushes_total", &[]).await == 8.0).then_some(())
    })
    .await;
    until_outcomes(&world, "superseded", 2.0).await;
    assert_shown(&world, &["m1", "r5", "m5"]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_does_not_overtake_its_message_that_waits_for_a_place() {
    let phones = [Phone::apple("iphone"), Phone::android("android")];
    let (world, server) = with_phones("push.answer_within = \"50ms\"", &phones).await;
    server.notify(&of_message(1)).await;
    until("both have the first", async || {
        (outcomes(&world, "accepted").await == 2.0).then_some(())
    })
    .await;
    let streams = |streams: u32| {
        world.surroundings.apns.set_streams(streams);
        world.surroundings.fcm.set_streams(streams);
    };
    streams(0);
    let ids: Vec<i64> = (2..=16).collect();
    for id in &ids {
        server.notify(&of_message(*id)).await;
    }
    for id in &ids {
        server.notify(&of_removal(&[*id])).await;
    }
    streams(100);
    until("all have come to their end", async || {
        (world.metric("push_bouncer_pushes_total", &[]).await == 62.0).then_some(())
    })
    .await;
    for kind in [Kind::Apns, Kind::Fcm] {
        let shown = shown(&world, kind);
        for id in &ids {
            let place = |what: String| shown.iter().position(|shown| *shown == what);
            let (message, removal) = (place(format!("m{id}")), place(format!("r{id}")));
            assert!(message.is_none() || message < removal, "{id} of {shown:?}");
        }
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_that_wait_for_one_slow_device_have_their_servers_share_of_the_store() {
    // A quarter of it: 250, of which the first removal has two.
    let (world, server) = read_under_way("push.retry_devices = 1000").await;
    for id in 6..136 {
        server.notify(&of_removal(&[5, id])).await;
    }
    until("all but a quarter were given up", async || {
        let given_up = world.metric("push_bouncer_pushes_given_up_total", &[SHARE]).await;
        (given_up == 12.0).then_some(())
    })
    .await;
    for faults in both(&world) {
        faults.close_connections();
    }
    until("the others have come to their end", async || {
        (world.metric("push_bouncer_pushes_total", &[]).await == 266.0).then_some(())
    })
    .await;
    until_outcomes(&world, "superseded", 2.0).await;
    for kind in [Kind::Apns, Kind::Fcm] {
        let shown = shown(&world, kind);
        assert_eq!((shown.len(), shown[1].as_str()), (126, "r5,11"), "the oldest gave way");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_goes_where_an_earlier_request_may_have_brought_its_message() {
    let (world, server) =
        with_phones("push.retry_for = \"5m\"", &[Phone::android("android")]).await;
    let faults = world.surroundings.fcm.faults();
    faults.set_retry_after(Some(PAUSE));
    let asked = AtomicU64::new(0);
    faults.set_script(Some(Arc::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Act::Reset { code: Reason::INTERNAL_ERROR, is_accepted: true },
        _ => Act::Refuse("UNAVAILABLE".to_owned()),
    })));
    server.notify(&of_message(5)).await;
    until("it is given up", async || {
        world.clock.advance(PAUSE);
        sleep(NOTICED).await;
        let given_up = world.metric("push_bouncer_pushes_given_up_total", &[]).await;
        (given_up == 1.0).then_some(())
    })
    .await;
    let doubtful =
        async || world.metric("push_bouncer_push_retries_total", &["cause=\"interrupted\""]).await;
    assert_eq!(doubtful().await, 1.0);
    server.notify(&of_message(5)).await;
    assert_eq!(doubtful().await, 2.0, "the repeat may be a double");
    server.notify(&of_removal(&[5])).await;
    end_outage(&world).await;
    assert_eq!(shown(&world, Kind::Fcm), ["m5", "r5"]);
    until_outcomes(&world, "superseded", 1.0).await;
    world.shutdown().await;
}
