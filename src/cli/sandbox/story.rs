//! The demonstration: a server registers two phones of one user and sends a message, a removal and tests.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::report::{Received, Step};
use crate::sandbox::{
    remote_server::{RemoteServer, Reply},
    surroundings::Surroundings,
};

/// Iago's phones: what Apple and Google call them.
const IPHONE: &str = "1ff0a4c8d2b64e0f9a7c3e5d81b2f60412ab34cd56ef7890a1b2c3d4e5f60718";
const ANDROID: &str = "fJ3xQ0kPTl2:APA91bExampleOfATokenThatGoogleGaveToAnAndroidPhone";

const USER_UUID: &str = "5f0c2d8e-6a43-4c58-9a4b-1f0f7b8c2d11";

/// Tells the story; each step is one request.
pub(super) async fn tell(server: &RemoteServer, surroundings: &Surroundings) -> Vec<Step> {
    let mut stage = Stage { server, surroundings, apns_seen: 0, fcm_seen: 0, steps: Vec::new() };
    let began = Instant::now();
    let registered = server.register("admin@chat.example.org").await;
    stage.note("The server registers", "server/register", began, registered, &[]);
    stage.register_phone("Iago registers his iPhone", IPHONE, "1").await;
    stage.register_phone("Iago registers his Android phone", ANDROID, "2").await;
    let both = ["iPhone", "Android phone"];
    stage.post("Cordelia writes to Iago", "push/notify", &message(), &both).await;
    stage.post("Iago reads it on his laptop", "push/notify", &removal(), &both).await;
    let test = "push/test_notification";
    stage.post("Iago tests his iPhone", test, &test_of(IPHONE, 1), &both[..1]).await;
    stage.post("Iago tests his Android phone", test, &test_of(ANDROID, 2), &both[1..]).await;
    stage.steps
}

struct Stage<'a> {
    server: &'a RemoteServer,
    surroundings: &'a Surroundings,
    apns_seen: usize,
    fcm_seen: usize,
    steps: Vec<Step>,
}

impl Stage<'_> {
    async fn register_phone(&mut self, title: &'static str, token: &str, kind: &str) {
        let mut fields = vec![
            ("user_id", "7"),
            ("user_uuid", USER_UUID),
            ("token", token),
            ("token_kind", kind),
        ];
        if kind == "1" {
            fields.push(("ios_app_id", "org.example.chat"));
        }
        let began = Instant::now();
        let reply = self.server.post_form("push/register", &fields).await;
        self.note(title, "push/register", began, reply, &[]);
    }

    async fn post(
        &mut self,
        title: &'static str,
        path: &'static str,
        body: &Value,
        phones: &[&str],
    ) {
        let began = Instant::now();
        let reply = self.server.post_json(path, body).await;
        self.note(title, path, began, reply, phones);
    }

    /// Notes a step; it went well when the bouncer said so and exactly these phones got something.
    fn note(
        &mut self,
        title: &'static str,
        path: &'static str,
        began: Instant,
        reply: std::io::Result<Reply>,
        phones: &[&str],
    ) {
        let milliseconds = began.elapsed().as_millis();
        let received = self.received();
        let reached: Vec<&str> = received.iter().map(|received| received.phone).collect();
        let (status, answer) = match reply {
            Ok(reply) => (reply.status.as_u16(), reply.json),
            Err(error) => (0, error.to_string().into()),
        };
        let ok = status == 200 && answer["result"] == "success" && reached == phones;
        self.steps.push(Step { title, path, ok, status, milliseconds, answer, received });
    }

    /// What the phones received since it was last asked.
    fn received(&mut self) -> Vec<Received> {
        let apns = self.surroundings.apns.requests();
        let fcm = self.surroundings.fcm.requests();
        let payload = |body: &[u8]| serde_json::from_slice(body).unwrap_or_default();
        let iphone = apns[self.apns_seen..].iter().map(|request| iphone(payload(&request.body)));
        let android = fcm[self.fcm_seen..].iter().map(|request| android(&payload(&request.body)));
        let received = iphone.chain(android).collect();
        (self.apns_seen, self.fcm_seen) = (apns.len(), fcm.len());
        received
    }
}

fn iphone(payload: Value) -> Received {
    let alert = &payload["aps"]["alert"];
    let event = payload["zulip"]["event"].as_str().unwrap_or("message").to_owned();
    let text = match event.as_str() {
        "remove" => format!(
            "takes down message {}; the badge says {}",
            word(&payload["zulip"]["zulip_message_ids"]),
            payload["aps"]["badge"]
        ),
        _ => [&alert["title"], &alert["subtitle"], &alert["body"]]
            .into_iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" | "),
    };
    Received { phone: "iPhone", event, text, payload }
}

fn android(body: &Value) -> Received {
    let data = &body["message"]["data"];
    let event = word(&data["event"]).to_owned();
    let text = match event.as_str() {
        "remove" => format!("takes down message {}", word(&data["zulip_message_ids"])),
        "test" => {
            format!("A test from {} ({})", word(&data["realm_name"]), word(&data["realm_url"]))
        }
        _ => format!(
            "#{} > {} | {}: {}",
            word(&data["stream"]),
            word(&data["topic"]),
            word(&data["sender_full_name"]),
            word(&data["content"])
        ),
    };
    Received { phone: "Android phone", event, text, payload: data.clone() }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn base() -> Value {
    json!({
        "server": "chat.example.org", "realm_id": 2, "realm_name": "Example",
        "realm_uri": "https://chat.example.org", "realm_url": "https://chat.example.org", "user_id": 7,
    })
}

fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn message() -> Value {
    let about = with(
        base(),
        json!({
            "sender_id": 5, "sender_email": "cordelia@chat.example.org", "time": 1_800_000_000,
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
        "android_devices": [ANDROID], "apple_devices": [IPHONE],
    })
}

fn removal() -> Value {
    let removal = with(base(), json!({"event": "remove", "zulip_message_ids": "42"}));
    json!({
        "user_id": 7, "user_uuid": USER_UUID,
        "gcm_payload": removal,
        "gcm_options": {"priority": "normal"},
        "apns_payload": {"badge": 0, "custom": {"zulip": removal}},
        "android_devices": [ANDROID], "apple_devices": [IPHONE],
    })
}

fn test_of(token: &str, kind: u8) -> Value {
    json!({
        "user_id": 7, "user_uuid": USER_UUID, "token": token, "token_kind": kind, "base_payload": base(),
    })
}
