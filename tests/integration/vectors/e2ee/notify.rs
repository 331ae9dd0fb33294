//! Vectors 99 to 108 but 105: notifications.

use serde_json::json;

use super::{Cast, R1, R2};
use crate::world::{Kind, Phone};

#[tokio::test(flavor = "multi_thread")]
async fn v099_each_phone_gets_its_message_in_its_own_form() {
    let cast = Cast::assemble("").await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    cast.register(&iphone).await;
    cast.register(&android).await;
    let mut for_iphone = iphone.push("AAEC");
    for_iphone["http_headers"] = json!({"apns_priority": 5, "apns_push_type": "background"});
    let mut for_android = android.push("AwQF");
    for_android["fcm_priority"] = "normal".into();

    let answer = cast.s1.notify_encrypted(R1, &[for_iphone.clone(), for_android]).await;

    let expected = json!({
        "result": "success", "msg": "",
        "apple_successfully_sent_count": 1, "android_successfully_sent_count": 1,
        "delete_token_ids": [],
        "realm_push_status": {"can_push": true, "expected_end_timestamp": null},
    });
    assert_eq!(answer, expected);
    let request = &cast.world.surroundings.apns.requests()[0];
    assert_eq!(request.token(), iphone.token);
    let mut headers: Vec<_> = request.headers().collect();
    headers.retain(|(name, _)| *name != "apns-id");
    headers.sort_unstable();
    let expected =
        [("apns-priority", "5"), ("apns-push-type", "background"), ("apns-topic", iphone.app_id)];
    assert_eq!(headers, expected, "no expiration");
    for push in cast.world.pushes() {
        let expected = match push.kind {
            Kind::Apns => for_iphone["payload"].clone(),
            Kind::Fcm => json!({"message": {
                "token": "android", "android": {"priority": "normal"},
                "data": {"push_key_id": "4294967295", "encrypted_data": "AwQF"},
            }}),
        };
        assert_eq!(push.body, expected);
    }
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v100_an_id_that_nobody_registered_is_to_be_deleted() {
    let cast = Cast::assemble("").await;
    let answer = cast.s1.notify_encrypted(R1, &[Phone::android("android").push("AA==")]).await;
    assert_eq!(answer["delete_token_ids"], json!([Phone::android("android").token_id()]));
    assert_eq!(answer["apple_successfully_sent_count"], 0);
    assert_eq!(answer["android_successfully_sent_count"], 0);
    assert_eq!(cast.world.arrived(), (0, 0));
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v101_an_id_of_another_realm_is_to_be_deleted() {
    let cast = Cast::assemble("").await;
    let phone = Phone::android("android");
    cast.register(&phone).await;
    let answer = cast.s2.notify_encrypted(R2, &[phone.push("AA==")]).await;
    assert_eq!(answer["delete_token_ids"], json!([phone.token_id()]));
    let answer = cast.s1.notify_encrypted(R1, &[phone.push("AA==")]).await;
    assert_eq!(answer["delete_token_ids"], json!([]));
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v102_a_dead_device_is_dead_in_its_realm_only() {
    let cast = Cast::assemble("").await;
    let phone = dead_phone(&cast).await;
    let answer = cast.s1.notify_encrypted(R1, &[phone.push("AA==")]).await;
    assert_eq!(answer["delete_token_ids"], json!([phone.token_id()]));
    assert_eq!(answer["android_successfully_sent_count"], 0);
    assert_eq!(cast.world.arrived(), (0, 1), "no second send");
    cast.s2.notify_encrypted(R2, &[phone.push("AA==")]).await;
    assert_eq!(cast.world.arrived(), (0, 2), "the other realm's device was still live");
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v103_a_dead_device_that_registers_again_lives() {
    let cast = Cast::assemble("").await;
    let phone = dead_phone(&cast).await;
    cast.register(&phone).await;
    cast.s1.notify_encrypted(R1, &[phone.push("AA==")]).await;
    assert_eq!(cast.world.arrived(), (0, 2), "it lives again");
    cast.world.shutdown().await;
}

/// A phone in both realms of which Google said, when it was sent to for the first, that it is gone.
async fn dead_phone(cast: &Cast) -> Phone {
    let phone = Phone::android("dead");
    cast.register(&phone).await;
    cast.s2.register_sealed(R2, &cast.app, &phone, cast.world.seconds()).await;
    let answer = cast.s1.notify_encrypted(R1, &[phone.push("AA==")]).await;
    assert_eq!(answer["delete_token_ids"], json!([phone.token_id()]));
    assert_eq!(cast.world.arrived(), (0, 1));
    phone
}

#[tokio::test(flavor = "multi_thread")]
async fn v104_an_id_that_is_no_base64_is_refused() {
    let cast = Cast::assemble("").await;
    for id in ["abc", "not base64", "", "AAAA"] {
        let mut push = Phone::android("android").push("AA==");
        push["token_id"] = id.into();
        let body = json!({"realm_uuid": R1, "push_requests": [push]});
        let reply = cast.s1.json("push/e2ee/notify", &body).await;
        let msg = "`token_id` is not Base64 encoded";
        let expected = json!({"result": "error", "msg": msg, "code": "BAD_REQUEST"});
        assert_eq!((reply.status.as_u16(), reply.json), (400, expected), "{id}");
    }
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v106_a_priority_that_apple_does_not_know_is_refused() {
    let cast = Cast::assemble("").await;
    let mut push = Phone::apple("iphone").push("AA==");
    push["http_headers"]["apns_priority"] = 7.into();
    let body = json!({"realm_uuid": R1, "push_requests": [push]});
    let reply = cast.s1.json("push/e2ee/notify", &body).await;
    assert_eq!((reply.status.as_u16(), &reply.json["code"]), (400, &json!("BAD_REQUEST")));
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v107_two_accounts_on_one_phone_get_a_message_each() {
    let cast = Cast::assemble("").await;
    let phone = Phone::apple("iphone");
    cast.register(&phone).await;
    let answer = cast.s1.notify_encrypted(R1, &[phone.push("AAAA"), phone.push("BBBB")]).await;
    assert_eq!(answer["apple_successfully_sent_count"], 2);
    let mut sent: Vec<_> = cast
        .world
        .pushes()
        .iter()
        .map(|push| push.body["encrypted_data"].as_str().unwrap().to_owned())
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, ["AAAA", "BBBB"]);
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v108_a_message_for_another_kind_of_phone_is_not_sent() {
    let cast = Cast::assemble("").await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    cast.register(&android).await;
    let mut push = iphone.push("AA==");
    push["token_id"] = android.token_id().into();
    let answer = cast.s1.notify_encrypted(R1, &[push]).await;
    assert_eq!(answer["delete_token_ids"], json!([android.token_id()]));
    assert_eq!(answer["apple_successfully_sent_count"], 0);
    assert_eq!(cast.world.arrived(), (0, 0));
    cast.world.shutdown().await;
}
