//! What the demo server sends, as Zulip's own makes it.

use serde_json::{Value, json};

use super::{
    Form,
    cast::{ANDROID, APP, IPHONE, Role},
};

const USER_UUID: &str = "5f0c2d8e-6a43-4c58-9a4b-1f0f7b8c2d11";

/// The server's one organization.
pub(super) const REALM_UUID: &str = "2b6f3c1d-94e8-4a75-8d0c-6e5a7b1f9c30";

const TIME: i64 = 1_800_000_000;

/// The form of `push/register`.
pub(super) fn registration_of(phone: &Role) -> Form {
    let mut form = vec![
        ("user_id", "7".to_owned()),
        ("user_uuid", USER_UUID.to_owned()),
        ("token", phone.token.to_owned()),
        ("token_kind", phone.kind.to_string()),
    ];
    if phone.kind == IPHONE.kind {
        form.push(("ios_app_id", APP.to_owned()));
    }
    form
}

/// The form of `server/analytics` of a server that keeps its statistics to itself.
pub(super) fn upload(hostname: &str) -> Form {
    let realm = json!({
        "id": 2, "uuid": REALM_UUID, "uuid_owner_secret": "only-the-server-knows", "host": hostname,
        "url": format!("https://{hostname}"), "name": "Example", "org_type": 10,
        "date_created": 1_700_000_000.5, "deactivated": false, "is_system_bot_realm": false,
        "authentication_methods": {"Email": true},
    });
    vec![
        ("realm_counts", "[]".to_owned()),
        ("installation_counts", "[]".to_owned()),
        ("realmauditlog_rows", "[]".to_owned()),
        ("realms", json!([realm]).to_string()),
        ("version", json!("12.0").to_string()),
        ("merge_base", json!("12.0").to_string()),
        ("api_feature_level", "468".to_owned()),
    ]
}

/// The body of `push/notify` for a message.
pub(super) fn message() -> Value {
    let about = with(
        base(),
        json!({
            "sender_id": 5, "sender_email": "cordelia@chat.example.org", "time": TIME,
            "recipient_type": "stream", "stream": "design", "stream_id": 3, "topic": "colours",
        }),
    );
    json!({
        "user_id": 7, "user_uuid": USER_UUID,
        "gcm_payload": with(about.clone(), json!({
            "event": "message", "zulip_message_id": 42, "content": "Shall we take the green one?",
            "sender_full_name": "Cordelia", "sender_avatar_url": "https://chat.example.org/avatar/5",
        })),
        "gcm_options": {"priority": "high"},
        "apns_payload": {
            "alert": {"title": "#design > colours", "subtitle": "Cordelia:", "body": "Shall we take the green one?"},
            "sound": "default", "badge": 0,
            "custom": {"zulip": with(about, json!({"message_ids": [42]}))},
        },
        "android_devices": [ANDROID.token], "apple_devices": [IPHONE.token],
    })
}

/// The body of `push/notify` when it was read elsewhere.
pub(super) fn removal() -> Value {
    let removal = with(base(), json!({"event": "remove", "zulip_message_ids": "42"}));
    json!({
        "user_id": 7, "user_uuid": USER_UUID,
        "gcm_payload": removal,
        "gcm_options": {"priority": "normal"},
        "apns_payload": {"badge": 0, "custom": {"zulip": removal}},
        "android_devices": [ANDROID.token], "apple_devices": [IPHONE.token],
    })
}

/// The body of `push/test_notification`.
pub(super) fn test_of(phone: &Role) -> Value {
    json!({
        "user_id": 7, "user_uuid": USER_UUID, "token": phone.token, "token_kind": phone.kind,
        "base_payload": base(),
    })
}

/// The body of `push/e2ee/notify`.
pub(super) fn push_requests(requests: &[Value]) -> Value {
    json!({"realm_uuid": REALM_UUID, "push_requests": requests})
}

/// What is encrypted for a message.
pub(super) fn message_plaintext() -> Value {
    with(
        about_realm(),
        json!({
            "type": "message", "message_id": 43, "time": TIME, "content": "Nobody in between reads this.",
            "sender_id": 5, "sender_full_name": "Cordelia",
            "sender_avatar_url": "https://chat.example.org/avatar/5",
            "recipient_type": "channel", "channel_id": 3, "channel_name": "design", "topic": "colours",
        }),
    )
}

/// What is encrypted when it was read elsewhere.
pub(super) fn removal_plaintext() -> Value {
    with(about_realm(), json!({"type": "remove", "message_ids": [43]}))
}

fn about_realm() -> Value {
    json!({"realm_url": "https://chat.example.org", "realm_name": "Example", "user_id": 7})
}

fn base() -> Value {
    with(
        about_realm(),
        json!({
            "server": "chat.example.org", "realm_id": 2, "realm_uri": "https://chat.example.org",
        }),
    )
}

fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}
