//! V65 to V69 and V80: what becomes of a phone when Apple or Google refuse or are not there.

use std::{net::TcpListener, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{notified, one_server, two_servers};
use crate::world::{IAGO, Kind, Phone, Stage, World, message, to};

#[tokio::test(flavor = "multi_thread")]
async fn v065_apns_unregistered_removes_on_all_servers() {
    assert_removed_everywhere(&Phone::apple("dead"), 410).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v066_apns_bad_and_foreign_tokens_are_removed_on_all_servers() {
    assert_removed_everywhere(&Phone::apple("badtok"), 400).await;
    assert_removed_everywhere(&Phone::apple("nottopic"), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v067_other_refusals_of_apns_leave_the_phone() {
    let phones = ["toomany", "oops", "reason-TopicDisallowed-"].map(Phone::apple);
    assert_kept(&phones, &[400, 429, 500]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v068_fcm_unregistered_removes_on_all_servers() {
    assert_removed_everywhere(&Phone::android("dead"), 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v069_other_refusals_of_fcm_leave_the_phone() {
    let phones = ["nottopic", "badtok"].map(Phone::android);
    assert_kept(&phones, &[400, 403]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v080_services_that_cannot_be_reached_cost_neither_the_answer_nor_a_phone() {
    let settings = "push.answer_within = \"300ms\"\napns.sandbox.attempt_timeout = \"500ms\"\n\
                    fcm.sandbox.attempt_timeout = \"500ms\"\n";
    let stage = Stage::set(settings).await;
    // Whoever connects waits for a handshake that never comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = stage.config_with_services_at(silent.local_addr().unwrap());
    let world = stage.serve(&config).await;
    let server = world.chat_server("s1.selfhosted.test").await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    for phone in [&iphone, &android] {
        server.register_phone(IAGO, phone).await;
    }
    let mut body = to(IAGO, message());
    body["apple_devices"] = json!([iphone.token]);
    body["android_devices"] = json!([android.token]);

    let began = Instant::now();
    let answer = server.notify(&body).await;
    let took = began.elapsed();

    assert_eq!(answer, notified(1, 1, &[], &[]));
    assert!(took < Duration::from_secs(3), "answered after {took:?}");
    assert_eq!(server.phones_of(IAGO).await, (1, 1));
    world.shutdown().await;
}

/// A phone that two servers know, refused with this status when one of them notifies its user, is known
/// to neither afterwards.
async fn assert_removed_everywhere(phone: &Phone, status: u16) {
    let (world, server, neighbour) = two_servers("").await;
    for server in [&server, &neighbour] {
        server.register_phone(IAGO, phone).await;
    }
    let mut body = to(IAGO, message());
    let (list, totals): (_, fn(&str) -> _) = match phone.kind {
        Kind::Apns => ("apple_devices", |token| notified(0, 1, &[], &[token])),
        Kind::Fcm => ("android_devices", |token| notified(1, 0, &[token], &[])),
    };
    body[list] = json!([phone.token]);

    assert_eq!(server.notify(&body).await, totals(&phone.token));

    assert_eq!(statuses(&world), [status]);
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    assert_eq!(neighbour.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

/// Phones of one kind, refused with these statuses, are not told to be gone, and stay.
async fn assert_kept(phones: &[Phone], refused: &[u16]) {
    let (world, server) = one_server("").await;
    for phone in phones {
        server.register_phone(IAGO, phone).await;
    }
    let count = phones.len() as u64;
    let (list, totals) = match phones[0].kind {
        Kind::Apns => ("apple_devices", (0, count)),
        Kind::Fcm => ("android_devices", (count, 0)),
    };
    let tokens: Vec<_> = phones.iter().map(|phone| &phone.token).collect();
    let mut body = to(IAGO, message());
    body[list] = json!(tokens);

    assert_eq!(server.notify(&body).await, notified(totals.0, totals.1, &[], &[]));

    assert_eq!(statuses(&world), refused);
    assert_eq!(server.phones_of(IAGO).await, totals);
    world.shutdown().await;
}

/// What the fakes answered to pushes, in order of the statuses, each once.
fn statuses(world: &World) -> Vec<u16> {
    let apns = world.surroundings.apns.requests().into_iter().map(|request| request.status);
    let fcm = world.surroundings.fcm.requests().into_iter().map(|request| request.status);
    let mut statuses: Vec<_> = apns.chain(fcm).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}
