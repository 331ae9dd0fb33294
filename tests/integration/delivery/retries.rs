//! Pushes that fail for a reason that may pass.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use h2::Reason;
use push_bouncer::sandbox::faults::{Act, Goaway, Outage, Reset, Script, Seen};
use serde_json::json;
use tokio::time::sleep;

use super::{NOTICED, accepted, outcomes, until_accepted, until_outcomes, with_phones};
use crate::world::{IAGO, Phone, User, World, message, to, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Refuses the first requests for a token with this reason, and notes what Apple was told each time.
fn refuse_first(
    times: usize,
    token: &str,
    reason: &'static str,
) -> (Arc<Mutex<Vec<String>>>, Script) {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let (seen_ids, token) = (Arc::clone(&ids), token.to_owned());
    let script = Arc::new(move |seen: &Seen| {
        if seen.token != token {
            return Act::Answer;
        }
        let mut ids = seen_ids.lock().unwrap();
        ids.push(seen.apns_id.clone().unwrap_or_default());
        if ids.len() <= times { Act::Refuse(reason.to_owned()) } else { Act::Answer }
    });
    (ids, script)
}

#[tokio::test(flavor = "multi_thread")]
async fn case_08_one_device_that_gets_too_much_waits_alone_and_in_order() {
    let (busy, other) = (Phone::apple("busy"), Phone::apple("other"));
    let (world, server) = with_phones("", &[busy.clone(), other.clone()]).await;
    let (ids, script) = refuse_first(1, &busy.token, "TooManyRequests");
    world.surroundings.apns.faults().set_script(Some(script));

    for id in 1..=3 {
        let custom = json!({"zulip": {"message_ids": [id]}});
        let payload = json!({"alert": {"title": "Cordelia", "body": "Hello"}, "custom": custom});
        server.notify(&to(IAGO, json!({"apns_payload": payload}))).await;
    }
    assert_eq!(accepted(&world, &other), 3, "nobody else waits");
    assert_eq!(world.metric("push_bouncer_provider_available", &["apns"]).await, 1.0);

    until_accepted(&world, &busy, 3).await;
    let ids = ids.lock().unwrap().clone();
    assert_eq!(ids.len(), 4, "while it waits for one, nothing else is tried");
    assert_eq!(ids[0], ids[1], "the same push again");
    let sent: Vec<_> = world
        .pushes()
        .into_iter()
        .filter(|push| push.token == busy.token)
        .skip(1)
        .map(|push| push.body["zulip"]["message_ids"].clone())
        .collect();
    assert_eq!(sent, [json!([1]), json!([2]), json!([3])]);
    until_outcomes(&world, "accepted", 6.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_service_that_fails_is_asked_again_under_the_same_id() {
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    let (world, server) = with_phones("", &[iphone.clone(), android.clone()]).await;
    for reason in ["InternalServerError", "ServiceUnavailable", "Shutdown"] {
        let before = accepted(&world, &iphone);
        let (ids, script) = refuse_first(2, &iphone.token, reason);
        world.surroundings.apns.faults().set_script(Some(script));
        server.notify(&to(IAGO, message())).await;
        until_accepted(&world, &iphone, before + 1).await;
        let ids = ids.lock().unwrap().clone();
        assert_eq!(ids.len(), 3, "{reason}");
        assert!(ids.iter().all(|id| *id == ids[0]), "{reason}: {ids:?}");
    }
    assert_eq!(accepted(&world, &android), 3, "the other service is not concerned");
    world.until_metric("push_bouncer_push_retries_total", &["http_5xx", "apns"], 6.0).await;
    until_outcomes(&world, "accepted", 6.0).await;
    world.until_metric("push_bouncer_pushes_total", &[], 6.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_push_service_did_not_look_at_is_counted_when_it_is_sent_again_at_once() {
    let (world, server) =
        with_phones("", &[Phone::apple("iphone"), Phone::android("android")]).await;
    let both = [world.surroundings.apns.faults(), world.surroundings.fcm.faults()];
    server.notify(&to(IAGO, message())).await;
    for faults in &both {
        faults.reset(Reset { count: 1, code: Reason::REFUSED_STREAM, is_accepted: false });
    }
    server.notify(&to(IAGO, message())).await;
    for faults in &both {
        let code = Reason::NO_ERROR;
        faults.goaway(Goaway { at_stream: 1, code, reason: String::new(), times: 1 });
    }
    server.notify(&to(IAGO, message())).await;
    until("all are accepted", async || (outcomes(&world, "accepted").await == 6.0).then_some(()))
        .await;
    for provider in ["provider=\"apns\"", "provider=\"fcm\""] {
        let retries =
            async |cause| world.metric("push_bouncer_push_retries_total", &[provider, cause]).await;
        assert_eq!(
            (retries("cause=\"goaway\"").await, retries("").await),
            (2.0, 2.0),
            "{provider}"
        );
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_16_what_is_too_large_is_refused_for_good_and_the_device_stays() {
    let iphone = Phone::apple("iphone");
    let (world, server) = with_phones("", std::slice::from_ref(&iphone)).await;
    let of_bytes = |bytes: usize| {
        let empty = r#"{"aps":{"alert":""}}"#.len();
        json!({"apns_payload": {"alert": "a".repeat(bytes - empty)}})
    };
    server.notify(&to(IAGO, of_bytes(4096))).await;
    assert_eq!(world.arrived(), (1, 0));
    server.notify(&to(IAGO, of_bytes(4097))).await;
    assert_eq!(world.arrived(), (1, 0), "Apple is not even asked");
    assert_eq!(
        (outcomes(&world, "payload_rejected").await, outcomes(&world, "accepted").await),
        (1.0, 1.0)
    );
    assert_eq!(server.phones_of(IAGO).await, (0, 1));
    assert_eq!(world.metric("push_bouncer_push_retry_entries", &[]).await, 0.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_17_a_push_is_not_sent_after_its_expiry_nor_does_a_retry_put_it_off() {
    let iphone = Phone::apple("iphone");
    let (world, server) =
        with_phones("push.retry_for = \"3d\"", std::slice::from_ref(&iphone)).await;
    let faults = world.surroundings.apns.faults();
    faults.set_retry_after(Some(10 * MINUTE));
    faults.set_outage(Some(Outage::ServiceUnavailable));
    server.notify(&to(IAGO, message())).await;
    world.clock.advance(60 * MINUTE);
    until("it is tried again", async || (world.arrived().0 == 2).then_some(())).await;
    let expirations: Vec<_> = world
        .surroundings
        .apns
        .requests()
        .iter()
        .map(|request| request.header("apns-expiration").unwrap_or_default().to_owned())
        .collect();
    assert!(expirations.iter().all(|moment| *moment == expirations[0]), "{expirations:?}");

    // Apple would keep it for a day: after that it is not even asked, though it would take it.
    faults.set_outage(None);
    world.clock.advance(24 * 60 * MINUTE);
    until("it is given up", async || {
        let given_up = world.metric("push_bouncer_pushes_given_up_total", &["expired"]).await;
        (given_up == 1.0).then_some(())
    })
    .await;
    assert_eq!((world.arrived().0, accepted(&world, &iphone)), (2, 0));
    until_outcomes(&world, "provider_error", 1.0).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_19_a_message_that_google_calls_malformed_is_not_sent_again_and_the_device_stays() {
    let android = Phone::android("android");
    let (world, server) = with_phones("", std::slice::from_ref(&android)).await;
    // Google names the field that is wrong: it is not the token.
    let script: Script = Arc::new(|_| Act::Refuse("INVALID_ARGUMENT:message.data".to_owned()));
    world.surroundings.fcm.faults().set_script(Some(script));
    for _ in 0..2 {
        let answer = server.notify(&to(IAGO, message())).await;
        assert_eq!(answer["total_android_devices"], 1);
    }
    world.clock.advance(60 * MINUTE);
    sleep(NOTICED).await;
    assert_eq!(world.arrived(), (0, 2), "each once");
    until_outcomes(&world, "payload_rejected", 2.0).await;
    let errors = world.metric("push_bouncer_push_errors_total", &["INVALID_ARGUMENT"]).await;
    assert_eq!(errors, 2.0, "the operator can see it");
    assert_eq!(world.states_of_devices().await, (1, 0, 0), "it is no suspect");
    world.surroundings.fcm.faults().set_script(None);
    server.notify(&to(IAGO, message())).await;
    assert_eq!(accepted(&world, &android), 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_22_a_quota_is_waited_for_as_long_as_google_asks_or_a_minute() {
    let android = Phone::android("android");
    let (world, server) = with_phones("", std::slice::from_ref(&android)).await;
    let faults = world.surroundings.fcm.faults();
    for (retry_after, at_least) in [(Some(Duration::from_secs(30)), 30), (None, 60)] {
        let before = accepted(&world, &android);
        faults.set_retry_after(retry_after);
        let (attempts, script) = refuse_first(1, &android.token, "QUOTA_EXCEEDED");
        faults.set_script(Some(script));
        server.notify(&to(IAGO, message())).await;
        assert_eq!(attempts.lock().unwrap().len(), 1);

        // The clock of the test goes on while it waits.
        world.clock.advance(Duration::from_secs(at_least - 5));
        sleep(NOTICED).await;
        assert_eq!(attempts.lock().unwrap().len(), 1, "{retry_after:?}: too early");
        world.clock.advance(Duration::from_secs(6));
        until_accepted(&world, &android, before + 1).await;
    }
    let errors = world.metric("push_bouncer_push_errors_total", &["QUOTA_EXCEEDED"]).await;
    assert_eq!((errors, outcomes(&world, "accepted").await), (2.0, 2.0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_22_a_quota_that_is_used_up_for_several_devices_holds_the_project_back() {
    const PHONES: i64 = 20;
    let world = World::start("").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    for number in 0..PHONES {
        let phone = Phone::android(&format!("android {number}"));
        server.register_phone(User::number(number), &phone).await;
    }
    let faults = world.surroundings.fcm.faults();
    faults.set_retry_after(Some(Duration::from_secs(60)));
    faults.set_script(Some(Arc::new(|_| Act::Refuse("QUOTA_EXCEEDED".to_owned()))));

    for number in 0..PHONES {
        server.notify(&to(User::number(number), message())).await;
    }
    assert_eq!(world.arrived().1, 3, "three devices are proof enough");
    assert_eq!(world.metric("push_bouncer_provider_available", &["fcm"]).await, 0.0);

    faults.set_script(None);
    until("all have it", async || {
        world.clock.advance(Duration::from_secs(5));
        (outcomes(&world, "accepted").await == PHONES as f64).then_some(())
    })
    .await;
    assert_eq!(world.metric("push_bouncer_provider_available", &["fcm"]).await, 1.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_23_google_unavailable_is_asked_again_and_its_retry_after_is_kept() {
    let android = Phone::android("android");
    let (world, server) = with_phones("", std::slice::from_ref(&android)).await;
    let faults = world.surroundings.fcm.faults();
    for reason in ["UNAVAILABLE", "INTERNAL"] {
        let before = accepted(&world, &android);
        let (attempts, script) = refuse_first(1, &android.token, reason);
        faults.set_script(Some(script));
        server.notify(&to(IAGO, message())).await;
        until_accepted(&world, &android, before + 1).await;
        assert_eq!(attempts.lock().unwrap().len(), 2, "{reason}: a second is enough");
    }
    faults.set_retry_after(Some(Duration::from_secs(120)));
    let (attempts, script) = refuse_first(1, &android.token, "UNAVAILABLE");
    faults.set_script(Some(script));
    server.notify(&to(IAGO, message())).await;
    world.clock.advance(Duration::from_secs(110));
    sleep(NOTICED).await;
    assert_eq!(attempts.lock().unwrap().len(), 1, "too early");
    world.clock.advance(Duration::from_secs(12));
    until_accepted(&world, &android, 3).await;
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_28_reserved_names_are_left_out_and_values_become_texts() {
    let android = Phone::android("android");
    let (world, server) = with_phones("", std::slice::from_ref(&android)).await;
    let payload = json!({
        "event": "message", "from": "x", "google.a": "1", "gcm.b": "2", "message_type": "y",
        "n": 5, "list": [1], "none": null,
    });
    server.notify(&to(IAGO, json!({"gcm_payload": payload}))).await;
    let sent = world.pushes().remove(0).body;
    let expected = json!({"event": "message", "n": "5", "list": "[1]", "none": "None"});
    assert_eq!(sent["message"]["data"], expected);
    assert_eq!(accepted(&world, &android), 1);
    world.shutdown().await;
}
