//! Chat servers with users, who get notifications with a number in each.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::world::{Chance, ChatServer, Kind, Phone, User, World, to};

const SERVERS: u64 = 4;
const USERS: u64 = 10;
/// Users of each server whose notifications are encrypted.
const SEALED_USERS: u64 = 3;

/// The word before a notification's number; three more letters of base64 would change nothing of it.
const MARK: &str = "model";
const DIGITS: usize = 7;

/// All chat servers.
pub(super) struct Crowd {
    servers: Vec<Home>,
    seed: u64,
    next: AtomicU64,
}

struct Home {
    server: ChatServer,
    realm: String,
    /// Each user's phones; those at the end get encrypted notifications.
    users: Vec<Vec<Phone>>,
}

/// Somebody who writes on a chat server.
pub(super) struct Speaker<'a> {
    home: &'a Home,
    next: &'a AtomicU64,
    chance: Chance,
}

/// A notification that was taken.
pub(super) struct Notification {
    pub(super) number: u64,
    pub(super) devices: Vec<(Kind, String)>,
    /// How often the same request was made.
    pub(super) requests: usize,
    /// The message it takes down.
    pub(super) removes: Option<u64>,
}

impl Notification {
    /// How many outcomes of pushes must be counted for it.
    pub(super) fn outcomes(&self) -> usize {
        self.devices.len() * self.requests
    }
}

impl Crowd {
    pub(super) async fn gather(world: &World, seed: u64) -> Self {
        let app = world.app_build().await;
        let mut chance = Chance::of(seed, 1);
        let mut servers = Vec::new();
        for number in 0..SERVERS {
            let server = world.chat_server(&format!("chat{number}.test")).await;
            let realm = format!("7d6e5f40-1111-4222-8333-44445555000{number}");
            server.upload_realm(&realm).await;
            let mut users = Vec::new();
            for user in 0..USERS {
                let mut phones = Vec::new();
                for (name, phone) in
                    [("a", Phone::apple as fn(&str) -> Phone), ("g", Phone::android)]
                {
                    for index in 0..=chance.below(3) {
                        phones.push(phone(&format!("{name}{number}u{user}p{index}")));
                    }
                }
                for phone in &phones {
                    if is_sealed(user) {
                        server.register_sealed(&realm, &app, phone, world.seconds()).await;
                    } else {
                        server.register_phone(user_of(user), phone).await;
                    }
                }
                users.push(phones);
            }
            servers.push(Home { server, realm, users });
        }
        Self { servers, seed, next: AtomicU64::new(1) }
    }

    /// How many phones get notifications in the clear, and encrypted ones.
    pub(super) fn phones(&self) -> (usize, usize) {
        let mut phones = (0, 0);
        for home in &self.servers {
            for (user, of_user) in (0..).zip(&home.users) {
                if is_sealed(user) { phones.1 += of_user.len() } else { phones.0 += of_user.len() }
            }
        }
        phones
    }

    /// Six on each chat server.
    pub(super) fn speakers(&self) -> impl Iterator<Item = Speaker<'_>> {
        self.servers.iter().cycle().take(6 * self.servers.len()).zip(100..).map(|(home, stream)| {
            Speaker { home, next: &self.next, chance: Chance::of(self.seed, stream) }
        })
    }
}

impl Speaker<'_> {
    /// Sends one notification after the other; which.
    pub(super) async fn talk(mut self, go_on: &impl Fn() -> bool) -> Vec<Notification> {
        let mut said = Vec::new();
        while go_on() {
            self.say(&mut said).await;
        }
        said
    }

    /// A notification, and at times that its message was read.
    async fn say(&mut self, said: &mut Vec<Notification>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let user = self.chance.below(USERS);
        let phones = &self.home.users[usize::try_from(user).expect("users are few")];
        let (path, body) = if is_sealed(user) {
            let pushes: Vec<Value> = phones.iter().map(|phone| phone.push(&mark(number))).collect();
            ("push/e2ee/notify", json!({"realm_uuid": self.home.realm, "push_requests": pushes}))
        } else {
            ("push/notify", to(user_of(user), message(number)))
        };
        let devices: Vec<_> =
            phones.iter().map(|phone| (phone.kind, phone.token.clone())).collect();
        let requests = self.send(path, &body).await;
        said.push(Notification { number, devices: devices.clone(), requests, removes: None });
        if is_sealed(user) || !self.chance.per_mille(200) {
            return;
        }
        let removal = self.next.fetch_add(1, Ordering::Relaxed);
        let requests = self.send(path, &to(user_of(user), read(number, removal))).await;
        said.push(Notification { number: removal, devices, requests, removes: Some(number) });
    }

    /// Sends a request; how often.
    async fn send(&mut self, path: &str, body: &Value) -> usize {
        let server = &self.home.server;
        let send = async || {
            let reply = server.json(path, body).await;
            assert_eq!(reply.status, 200, "{}", reply.json);
        };
        let mut requests = 1;
        match self.chance.below(1000) {
            // A client that repeats, after the answer or while it waits.
            0..15 => {
                send().await;
                send().await;
                requests += 1;
            }
            15..30 => {
                tokio::join!(send(), send());
                requests += 1;
            }
            _ => send().await,
        }
        requests
    }
}

fn is_sealed(user: u64) -> bool {
    user >= USERS - SEALED_USERS
}

fn user_of(number: u64) -> User {
    User::number(i64::try_from(1000 + number).expect("users are few"))
}

/// What is found again in the payload; also four times three letters of base64.
fn mark(number: u64) -> String {
    format!("{MARK}{number:0DIGITS$}")
}

/// The number in a payload.
pub(super) fn number_in(body: &[u8]) -> Option<u64> {
    let body = std::str::from_utf8(body).ok()?;
    let (_, behind) = body.split_once(MARK)?;
    behind.get(..DIGITS)?.parse().ok()
}

fn message(number: u64) -> Value {
    json!({
        "gcm_payload": {"event": "message", "zulip_message_id": number, "content": mark(number)},
        "gcm_options": {"priority": "high"},
        "apns_payload": {
            "alert": {"title": "Cordelia", "body": mark(number)},
            "sound": "default",
            "badge": 0,
            "custom": {"zulip": {"message_ids": [number]}},
        },
    })
}

/// That a message was read elsewhere.
fn read(message: u64, number: u64) -> Value {
    let zulip = json!({"event": "remove", "zulip_message_ids": message.to_string()});
    let mut gcm = zulip.clone();
    gcm["content"] = mark(number).into();
    let custom = json!({"zulip": zulip, "content": mark(number)});
    json!({"gcm_payload": gcm, "apns_payload": {"badge": 0, "custom": custom}})
}
