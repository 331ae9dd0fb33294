//! What Google demands of a message, and what devices answer.

use super::*;
use crate::sandbox::counters::Counters;

#[tokio::test]
async fn a_good_message_is_accepted_with_a_name() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let answer = send(&peer, &token, &to("device-1")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json; charset=UTF-8");
    let name = answer.json()["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("projects/example-chat/messages/0:"), "{name}");

    let mut rehearsal = to("device-1");
    rehearsal["validate_only"] = true.into();
    let answer = send(&peer, &token, &rehearsal).await;
    assert_eq!(answer.json()["name"], "projects/example-chat/messages/fake_message_id");

    let [first, second] = &actors.fcm.requests()[..] else { panic!("two requests") };
    assert_eq!((first.token.as_str(), first.status), ("device-1", 200));
    assert_eq!((first.project_id.as_str(), &first.error_code), (PROJECT, &None));
    assert_eq!(first.body, to("device-1").to_string());
    assert_eq!((first.validate_only, second.validate_only), (false, true));
    assert_eq!(actors.fcm.counters().access_tokens, 1);
    actors.fcm.reset();
    assert_eq!(actors.fcm.counters(), Counters::default());
    assert!(actors.fcm.requests().is_empty());
}

#[tokio::test]
async fn an_account_sends_for_its_own_project_only() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    for (project, status, word) in
        [(PROJECT, 200, ""), ("other-chat", 403, "PERMISSION_DENIED"), ("none", 404, "NOT_FOUND")]
    {
        let answer = send_for(&peer, project, &token, &to("device")).await;
        assert_eq!(answer.status, status);
        let json = answer.json();
        assert_eq!(json["error"]["status"].as_str().unwrap_or_default(), word);
        assert_eq!(json["error"]["details"], Value::Null);
    }
    for request in [
        Request::get("https://localhost/v1/projects/example-chat/messages:send"),
        Request::post("https://localhost/fcm/send"),
        Request::post("https://localhost/v1/projects/a/b/messages:send"),
    ] {
        let answer = peer.send(request.body(Bytes::new()).unwrap()).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn each_fault_of_a_message_names_its_field() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let data = |data: Value| json!({ "message": { "token": "device", "data": data } });
    let with = |name: &str, value: Value| {
        let mut body = to("device");
        body["message"][name] = value;
        body
    };
    let room = 4096 - "k".len();
    // The front end refuses what does not fit the schema, without an `FcmError`; the service
    // refuses the rest, with one.
    let cases = [
        (data(json!({ "first": "1", "second": 12 })), "message.data[1].value", false),
        (data(json!({ "n": null })), "message.data[0].value", false),
        (data(json!({ "n": { "a": "b" } })), "message.data[0].value", false),
        (with("android", json!({ "priority": "urgent" })), "message.android.priority", false),
        (with("key", "unknown".into()), "message", false),
        (with("token", 5.into()), "message", false),
        (json!({ "message": 5 }), "message", false),
        (json!({}), "message", false),
        (with("token", "".into()), "message", true),
        (json!({ "message": { "data": {} } }), "message", true),
        (data(json!({ "from": "a" })), "message.data", true),
        (data(json!({ "message_type": "a" })), "message.data", true),
        (data(json!({ "google.x": "a" })), "message.data", true),
        (data(json!({ "gcm.notification.x": "a" })), "message.data", true),
        (data(json!({ "k": "x".repeat(room + 1) })), "message.data", true),
        (data(json!({ "k": "ü".repeat(room / 2 + 1) })), "message.data", true),
    ];
    for (number, (body, field, fcm_error)) in cases.into_iter().enumerate() {
        let answer = send(&peer, &token, &body).await;
        assert_eq!(answer.status, 400, "case {number}");
        let json = answer.json();
        let error = &json["error"];
        assert_eq!(error["status"], "INVALID_ARGUMENT", "case {number}");
        let details = error["details"].as_array().unwrap();
        let violation = &details.last().unwrap()["fieldViolations"][0];
        assert_eq!(violation["field"], field, "case {number}");
        assert_eq!(violation["description"], error["message"], "case {number}");
        assert_eq!(details.len() == 2, fcm_error, "case {number}");
        assert_eq!(details[0]["errorCode"] == "INVALID_ARGUMENT", fcm_error, "case {number}");
    }
    for body in [
        data(json!({ "k": "x".repeat(room) })),
        data(json!({ "k": "\n".repeat(room) })),
        data(json!({})),
        with("android", json!({ "priority": "NORMAL", "ttl": "60s" })),
        json!({ "message": { "token": "device" }, "validateOnly": true }),
    ] {
        assert_eq!(send(&peer, &token, &body).await.status, 200);
    }
    let uri = "https://localhost/v1/projects/example-chat/messages:send";
    let request = Request::post(uri).header("authorization", format!("Bearer {token}"));
    let answer = peer.send(request.body(Bytes::from_static(b"{")).unwrap()).await.unwrap();
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn words_in_a_token_are_answered_as_they_say() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    for (word, http_status, status, code) in [
        ("dead", 404, "NOT_FOUND", "UNREGISTERED"),
        ("badtok", 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("nottopic", 403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        ("toomany", 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        ("oops", 500, "INTERNAL", "INTERNAL"),
        ("unavail", 503, "UNAVAILABLE", "UNAVAILABLE"),
        ("reason-NOT_YET_INVENTED-", 400, "FAILED_PRECONDITION", "NOT_YET_INVENTED"),
    ] {
        let answer = send(&peer, &token, &to(&format!("x:{word}y"))).await;
        let json = answer.json();
        assert_eq!(answer.status, http_status);
        assert_eq!(json["error"]["code"], http_status);
        assert_eq!(json["error"]["status"], status);
        assert_eq!(json["error"]["details"][0]["errorCode"], code);
    }
    for code in ErrorCode::ALL {
        let answer = send(&peer, &token, &to(&format!("reason-{}-", code.name))).await;
        let json = answer.json();
        assert_eq!(answer.status, code.http_status);
        assert_eq!(json["error"]["details"][0]["errorCode"] == code.name, code.detail);
    }
    assert_eq!(actors.fcm.counters().refused["UNREGISTERED"], 2);
}

#[tokio::test]
async fn an_unregistered_device_is_answered_to_the_letter() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let answer = send(&peer, &token, &to("dead")).await;
    let expected = json!({ "error": {
        "code": 404,
        "message": "Requested entity was not found.",
        "status": "NOT_FOUND",
        "details": [{
            "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
            "errorCode": "UNREGISTERED",
        }],
    }});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_bad_token_is_told_from_a_bad_message() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    let fcm_error = json!({
        "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
        "errorCode": "INVALID_ARGUMENT",
    });
    let violation = |field: &str, description: &str| {
        json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": field, "description": description }],
        })
    };
    let not_text = "Invalid value at 'message.data[0].value' (TYPE_STRING), 12";
    let cases = [
        (
            to("badtok"),
            "The registration token is not a valid FCM registration token",
            json!([fcm_error.clone()]),
        ),
        (
            to("reason-INVALID_ARGUMENT-"),
            "Invalid registration token",
            json!([fcm_error, violation("message.token", "Invalid registration token")]),
        ),
        (
            json!({ "message": { "token": "device", "data": { "n": 12 } } }),
            not_text,
            json!([violation("message.data[0].value", not_text)]),
        ),
    ];
    for (body, message, details) in cases {
        let answer = send(&peer, &token, &body).await;
        let expected = json!({ "error": {
            "code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": details,
        }});
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn a_token_may_belong_to_one_project() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let (own, other) = (actors.log_in(&peer, &ACCOUNT).await, actors.log_in(&peer, &OTHER).await);
    for (device, own_status, other_status) in [
        ("device@example-chat", 200, 403),
        ("device@other-chat", 403, 200),
        ("x@other-chat:1", 403, 200),
        ("device@nobody", 403, 403),
        ("device", 200, 200),
        ("dead@example-chat", 404, 403),
    ] {
        let answer = send(&peer, &own, &to(device)).await;
        assert_eq!(answer.status, own_status, "{device}");
        if own_status == 403 {
            let json = answer.json();
            assert_eq!(json["error"]["details"][0]["errorCode"], "SENDER_ID_MISMATCH");
        }
        let answer = send_for(&peer, "other-chat", &other, &to(device)).await;
        assert_eq!(answer.status, other_status, "{device}");
    }
}

#[tokio::test]
async fn retry_after_and_latency_can_be_set() {
    let actors = Actors::start().await;
    let peer = actors.connect().await;
    let token = actors.log_in(&peer, &ACCOUNT).await;
    assert!(!send(&peer, &token, &to("toomany")).await.headers.contains_key("retry-after"));
    actors.fcm.set_retry_after(Some(Duration::from_secs(7)));
    for (device, value) in [("toomany", Some("7")), ("unavail", Some("7")), ("oops", None)] {
        let answer = send(&peer, &token, &to(device)).await;
        let header = answer.headers.get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(header, value);
    }
    actors.fcm.set_latency(Duration::from_millis(30));
    let started = tokio::time::Instant::now();
    assert_eq!(send(&peer, &token, &to("device")).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(30));
}
