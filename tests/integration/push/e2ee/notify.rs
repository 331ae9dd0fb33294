//! `POST push/e2ee/notify`: what is sent, counted and answered.

use std::time::{Duration, Instant};

use entities::{e2ee_devices, push_counts};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::{REALM, with_realm};
use crate::world::{AppBuild, ChatServer, Phone, World, until};

/// What the server is told when it sends this body.
async fn refusal(server: &ChatServer, body: &Value) -> (u16, String) {
    let reply = server.json("push/e2ee/notify", body).await;
    (reply.status.as_u16(), reply.json["msg"].as_str().unwrap_or_default().to_owned())
}

async fn register(world: &World, server: &ChatServer, app: &AppBuild, phones: &[&Phone]) {
    for phone in phones {
        server.register_sealed(REALM, app, phone, world.seconds()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tried_again_counts_as_sent_and_only_the_dead_are_named() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let dead = [
        Phone::apple("dead"),
        Phone::apple("badtok"),
        Phone::apple("nottopic"),
        Phone::android("dead"),
    ];
    let failing = [Phone::apple("oops"), Phone::apple("toomany"), Phone::android("unavail")];
    let refused = [Phone::apple("reason-TopicDisallowed-"), Phone::android("badtok")];
    let good = [Phone::apple("iphone"), Phone::android("android")];
    let phones: Vec<&Phone> = dead.iter().chain(&failing).chain(&refused).chain(&good).collect();
    register(&world, &server, &app, &phones).await;

    let pushes: Vec<Value> = phones.iter().map(|phone| phone.push("AA==")).collect();
    let answer = server.notify_encrypted(REALM, &pushes).await;

    assert_eq!(answer["apple_successfully_sent_count"], 3);
    assert_eq!(answer["android_successfully_sent_count"], 2);
    let mut named: Vec<_> = answer["delete_token_ids"].as_array().unwrap().clone();
    let mut expected: Vec<Value> = dead.iter().map(|phone| phone.token_id().into()).collect();
    named.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(named, expected);
    let rows = e2ee_devices::Entity::find().all(&world.database().await).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.expired_at.is_some()).count(), dead.len());
    let expired = world.metric("push_bouncer_device_changes_total", &["change=\"expired\""]).await;
    assert_eq!(expired, 4.0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_counted_by_server_and_by_realm_unknown_ids_and_refused_requests_too() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let (iphone, unknown) = (Phone::apple("iphone"), Phone::apple("unknown"));
    register(&world, &server, &app, &[&iphone]).await;
    server.notify_encrypted(REALM, &[iphone.push("AA=="), unknown.push("AA==")]).await;
    let mut no_id = iphone.push("AA==");
    no_id["token_id"] = "none".into();
    let body = json!({"realm_uuid": REALM, "push_requests": [no_id]});
    assert_eq!(refusal(&server, &body).await.0, 400);

    let database = world.database().await;
    let counts = until("3 pushes are written down", async || {
        let rows = push_counts::Entity::find().all(&database).await.unwrap();
        let of = |whole: bool| {
            let rows = rows.iter().filter(move |row| (row.remote_realm_id == 0) == whole);
            rows.fold((0, 0), |sum, row| (sum.0 + row.received, sum.1 + row.forwarded))
        };
        (of(true) == (3, 1)).then(|| of(false))
    });
    assert_eq!(counts.await, (3, 1));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_decided_in_time_counts_as_sent_and_is_told_next_time() {
    let world = World::start("push.answer_within = \"200ms\"").await;
    let (server, app) = with_realm(&world).await;
    let (quick, late) = (Phone::android("dead"), Phone::apple("dead"));
    register(&world, &server, &app, &[&quick, &late]).await;
    // A connection and a token are there already when it counts.
    server.notify_encrypted(REALM, &[quick.push("AA==")]).await;
    until("the first phone is dead", async || {
        let rows = e2ee_devices::Entity::find().all(&world.database().await).await.unwrap();
        rows.iter().any(|row| row.expired_at.is_some()).then_some(())
    })
    .await;
    world.surroundings.apns.set_latency(Duration::from_millis(1500));

    let began = Instant::now();
    let answer = server.notify_encrypted(REALM, &[quick.push("AA=="), late.push("AA==")]).await;
    assert!(began.elapsed() < Duration::from_millis(1400));
    assert_eq!(answer["apple_successfully_sent_count"], 1, "not decided yet");
    assert_eq!(answer["delete_token_ids"], json!([quick.token_id()]));

    until("the late phone is dead", async || {
        let rows = e2ee_devices::Entity::find().all(&world.database().await).await.unwrap();
        rows.iter().all(|row| row.expired_at.is_some()).then_some(())
    })
    .await;
    let answer = server.notify_encrypted(REALM, &[late.push("AA==")]).await;
    assert_eq!(answer["delete_token_ids"], json!([late.token_id()]));
    assert_eq!(answer["apple_successfully_sent_count"], 0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_410_does_not_kill_a_fresh_registration() {
    let world = World::start("push.answer_within = \"10s\"").await;
    let (server, app) = with_realm(&world).await;
    let phone = Phone::apple("dead");
    register(&world, &server, &app, &[&phone]).await;
    world.surroundings.apns.set_latency(Duration::from_millis(700));

    let again = async {
        until("the push arrives", async || (world.arrived() != (0, 0)).then_some(())).await;
        world.clock.advance(Duration::from_secs(1));
        register(&world, &server, &app, &[&phone]).await;
    };
    let pushes = [phone.push("AA==")];
    let (answer, ()) = tokio::join!(server.notify_encrypted(REALM, &pushes), again);
    assert_eq!(answer["delete_token_ids"], json!([]), "the 410 speaks of an earlier time");
    assert_eq!(answer["apple_successfully_sent_count"], 0);

    world.surroundings.apns.set_latency(Duration::ZERO);
    let answer = server.notify_encrypted(REALM, &pushes).await;
    assert_eq!(answer["delete_token_ids"], json!([phone.token_id()]));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zulip_11_names_devices_by_their_ids() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("dead"));
    let mut ids = Vec::new();
    for phone in [&iphone, &android] {
        let fields = [
            ("realm_uuid", REALM.to_owned()),
            ("push_account_id", "10".to_owned()),
            ("encrypted_push_registration", app.seal_phone(phone, world.seconds())),
            ("bouncer_public_key", app.public_key.clone()),
        ];
        let reply = server.form("push/e2ee/register", &fields).await;
        ids.push(reply.json["device_id"].as_i64().unwrap());
    }
    let unknown = ids[1] + 1000;
    let pushes = [
        iphone.push_of_11(ids[0], "AA=="),
        android.push_of_11(ids[1], "AA=="),
        android.push_of_11(unknown, "AA=="),
        android.push_of_11(unknown, "AA=="),
    ];
    let answer = server.notify_encrypted(REALM, &pushes).await;
    assert_eq!(answer["apple_successfully_sent_count"], 1);
    assert_eq!(answer["delete_token_ids"], json!([]));
    assert_eq!(answer["delete_device_ids"], json!([unknown, ids[1]]), "each once");
    let sent = world.pushes();
    let data = sent.iter().find_map(|push| push.body.get("message")).unwrap();
    assert_eq!(data["data"], json!({"push_account_id": "10", "encrypted_data": "AA=="}));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_aps_a_default_is_sent_and_what_is_too_large_is_not() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
    register(&world, &server, &app, &[&iphone, &android]).await;
    let mut bare = iphone.push("AA==");
    bare["payload"].as_object_mut().unwrap().remove("aps");
    bare["payload"]["more"] = json!([1]);
    let large = "A".repeat(4097);
    let answer =
        server.notify_encrypted(REALM, &[bare, iphone.push(&large), android.push(&large)]).await;
    assert_eq!(answer["apple_successfully_sent_count"], 1);
    assert_eq!(answer["android_successfully_sent_count"], 0);
    assert_eq!(answer["delete_token_ids"], json!([]));
    let sent = world.pushes();
    assert_eq!(sent.len(), 1);
    let expected = json!({
        "push_key_id": 4_294_967_295_u32, "encrypted_data": "AA==", "more": [1],
        "aps": {"mutable-content": 1, "alert": {"title": "New notification"}},
    });
    assert_eq!(sent[0].body, expected);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_too_many_pushes_the_first_thousand_are_sent_and_nobody_is_declared_gone() {
    let world = World::start("").await;
    let (server, app) = with_realm(&world).await;
    let phone = Phone::android("android");
    register(&world, &server, &app, &[&phone]).await;
    let mut pushes = vec![phone.push("AA=="); 1000];
    pushes.push(Phone::android("unknown").push("AA=="));
    let answer = server.notify_encrypted(REALM, &pushes).await;
    assert_eq!(answer["android_successfully_sent_count"], 1000);
    assert_eq!(answer["delete_token_ids"], json!([]));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_is_answered() {
    let world = World::start("").await;
    let (server, _) = with_realm(&world).await;
    let answer = server.notify_encrypted(REALM, &[]).await;
    assert_eq!(answer["delete_token_ids"], json!([]));
    assert!(answer.get("delete_device_ids").is_none());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_with_its_place() {
    let world = World::start("").await;
    let (server, _) = with_realm(&world).await;
    let (apns, fcm) = (Phone::apple("iphone").push("AA=="), Phone::android("android").push("AA=="));
    let path = "request[\"push_requests\"][0]";
    for (push, pointer, value, expected) in [
        (
            &apns,
            "/http_headers/apns_priority",
            json!(7),
            format!(
                "Invalid {path}[\"http_headers\"][\"apns_priority\"]: Input should be 10, 5 or 1"
            ),
        ),
        (
            &apns,
            "/http_headers/apns_priority",
            json!("5"),
            format!("{path}[\"http_headers\"][\"apns_priority\"] is not an integer"),
        ),
        (
            &apns,
            "/http_headers/apns_push_type",
            json!("loud"),
            format!(
                "Invalid {path}[\"http_headers\"][\"apns_push_type\"]: Input should be one of Apple's push types"
            ),
        ),
        (&apns, "/http_headers", json!([]), format!("{path}[\"http_headers\"] is not a dict")),
        (&apns, "/payload", json!("x"), format!("{path}[\"payload\"] is not a dict")),
        (&apns, "/payload/aps", json!(1), format!("{path}[\"payload\"][\"aps\"] is not a dict")),
        (
            &apns,
            "/payload/push_key_id",
            json!("1"),
            format!("{path}[\"payload\"][\"push_key_id\"] is not an integer"),
        ),
        (
            &fcm,
            "/payload/encrypted_data",
            json!(1),
            format!("{path}[\"payload\"][\"encrypted_data\"] is not a string"),
        ),
        (
            &fcm,
            "/fcm_priority",
            json!("loud"),
            format!("Invalid {path}[\"fcm_priority\"]: Input should be 'high' or 'normal'"),
        ),
        (&fcm, "/token_id", json!(1), format!("{path}[\"token_id\"] is not a string")),
    ] {
        let mut push = push.clone();
        *push.pointer_mut(pointer).unwrap() = value;
        let body = json!({"realm_uuid": REALM, "push_requests": [push]});
        assert_eq!(refusal(&server, &body).await, (400, expected));
    }
    for (body, expected) in [
        (json!({}), "request[\"realm_uuid\"] field is missing: Field required"),
        (
            json!({"realm_uuid": REALM}),
            "request[\"push_requests\"] field is missing: Field required",
        ),
        (
            json!({"realm_uuid": REALM, "push_requests": {}}),
            "request[\"push_requests\"] is not a list",
        ),
        (
            json!({"realm_uuid": REALM, "push_requests": [1]}),
            "request[\"push_requests\"][0] is not a dict",
        ),
        (
            json!({"realm_uuid": REALM, "push_requests": [{}]}),
            "request[\"push_requests\"][0][\"token_id\"] field is missing: Field required",
        ),
        (json!({"realm_uuid": "x", "push_requests": []}), "Invalid UUID"),
    ] {
        assert_eq!(refusal(&server, &body).await, (400, expected.to_owned()));
    }
    let unknown =
        json!({"realm_uuid": "00000000-1111-4222-8333-444455556666", "push_requests": []});
    assert_eq!(refusal(&server, &unknown).await, (403, "Organization not registered".to_owned()));
    world.shutdown().await;
}
