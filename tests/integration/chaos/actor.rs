//! A chat server that registers, moves its phones, changes its key and notifies, by any node.

mod asking;

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use serde_json::json;
use tokio::time::{Instant, sleep};

use asking::{JSON, Said, authorization};

use super::{
    Journal, Plan,
    journal::{Credentials, Notify, Standing},
    load::Shared,
};
use crate::world::{Chance, Client, Phone, Stage, User, to};

/// The user whose phones stay.
const STEADY: User = User::number(1);

/// The user whose phones come and go.
const MOVING: User = User::number(2);

/// Messages of all actors.
static MESSAGES: AtomicI64 = AtomicI64::new(1);

/// One chat server after the other.
pub(super) struct Actor {
    shared: Arc<Shared>,
    /// One for each node.
    clients: Vec<Client>,
    chance: Chance,
    pace: Range<u64>,
    requests_per_server: usize,
    name: String,
    /// How many chat servers and phones it has had.
    made: usize,
    me: Credentials,
    stored: Vec<Phone>,
    requests: usize,
    journal: Journal,
}

impl Actor {
    /// A chat server with a user who has a phone of each kind, known to these nodes.
    pub(super) async fn settle(
        stage: &Stage,
        shared: &Arc<Shared>,
        plan: &Plan,
        number: u64,
        nodes: &[usize],
    ) -> Self {
        let clients = shared.nodes.iter().map(|place| stage.client_of(place.address)).collect();
        let mut chance = Chance::of(plan.seed, number);
        let me = Credentials::drawn(&mut chance);
        let mut actor = Self {
            shared: Arc::clone(shared),
            clients,
            chance,
            pace: plan.pace.clone(),
            requests_per_server: plan.requests_per_server,
            name: format!("a{number}"),
            made: 0,
            me,
            stored: Vec::new(),
            requests: 0,
            journal: Journal::default(),
        };
        assert!(actor.move_in(actor.me.clone(), nodes[0]).await, "it can register");
        for node in nodes {
            assert!(actor.notify(*node).await, "everything works at first");
        }
        actor
    }

    /// The id of the chat server that it is.
    pub(super) fn id(&self) -> &str {
        &self.me.id
    }

    /// What it has noted.
    pub(super) fn into_journal(mut self) -> Journal {
        self.journal.servers.push(self.me);
        self.journal
    }

    /// Asks again and again, any node, until it is over; whether each time it must be served.
    pub(super) async fn act(&mut self, is_busy: bool, is_served: bool) {
        while !self.shared.is_over() {
            let node = self.any_node();
            let is_done = match self.chance.below(100) {
                _ if !is_busy => self.notify(node).await,
                0..30 => self.register_phone(node).await,
                30..48 => self.unregister_phone(node).await,
                48..60 => self.rotate(node).await,
                60..70 => self.come_and_go(node).await,
                _ => self.notify(node).await,
            };
            if is_served && !is_done {
                let who = &self.name;
                self.journal.untrue.push(format!("{who}: a known user was not served at {node}"));
            }
            if self.requests >= self.requests_per_server {
                let next = Credentials::drawn(&mut self.chance);
                self.move_in(next, node).await;
            }
            sleep(self.chance.millis(self.pace.clone())).await;
        }
    }

    fn any_node(&mut self) -> usize {
        usize::try_from(self.chance.below(self.clients.len() as u64)).unwrap()
    }

    /// Becomes another chat server, if that can register.
    async fn move_in(&mut self, me: Credentials, node: usize) -> bool {
        if !self.register(&me, node).await {
            return false;
        }
        let left = std::mem::replace(&mut self.me, me);
        if left.is_active != Standing::Unknown {
            self.journal.servers.push(left);
        }
        self.me.is_active = Standing::Stored;
        self.stored.clear();
        self.requests = 0;
        self.made += 1;
        let words = format!("{}s{}", self.name, self.made);
        for phone in [Phone::apple(&words), Phone::android(&words)] {
            while !self.store(STEADY, &phone, node).await && !self.shared.is_over() {
                sleep(self.chance.millis(self.pace.clone())).await;
            }
        }
        true
    }

    async fn register(&mut self, new: &Credentials, node: usize) -> bool {
        let fields = [
            ("zulip_org_id", new.id.clone()),
            ("zulip_org_key", new.key.clone()),
            ("hostname", format!("c{}.selfhosted.test", new.id)),
            ("contact_email", "admin@selfhosted.test".to_owned()),
        ];
        let said = self.form(node, "server/register", None, &fields).await;
        self.is_changed(node, &said)
    }

    async fn register_phone(&mut self, node: usize) -> bool {
        self.made += 1;
        let words = format!("{}p{}", self.name, self.made);
        let phone = match self.chance.below(2) {
            0 => Phone::apple(&words),
            _ => Phone::android(&words),
        };
        let is_stored = self.store(MOVING, &phone, node).await;
        if is_stored {
            self.stored.push(phone);
        }
        is_stored
    }

    async fn store(&mut self, user: User, phone: &Phone, node: usize) -> bool {
        let mut fields = [user.fields(), phone.fields()].concat();
        fields.push(("ios_app_id", phone.app_id.to_owned()));
        let said = self.form(node, "push/register", Some(self.authorization()), &fields).await;
        let is_stored = self.is_changed(node, &said);
        let standing = if is_stored { Standing::Stored } else { Standing::Unknown };
        self.journal.phones.insert(phone.token.clone(), standing);
        is_stored
    }

    async fn unregister_phone(&mut self, node: usize) -> bool {
        let Some(phone) = self.stored.pop() else { return false };
        let fields = [MOVING.fields(), phone.fields()].concat();
        let said = self.form(node, "push/unregister", Some(self.authorization()), &fields).await;
        let is_removed = self.is_changed(node, &said);
        let standing = if is_removed { Standing::Removed } else { Standing::Unknown };
        self.journal.phones.insert(phone.token, standing);
        is_removed
    }

    /// A new key. Where nothing is said the old one goes on to work, until the new one is used, which it never is.
    async fn rotate(&mut self, node: usize) -> bool {
        let new = Credentials::drawn(&mut self.chance).key;
        let me = &self.me;
        let fields = [
            ("zulip_org_id", me.id.clone()),
            ("zulip_org_key", me.key.clone()),
            ("hostname", format!("c{}.selfhosted.test", me.id)),
            ("contact_email", "admin@selfhosted.test".to_owned()),
            ("new_org_key", new.clone()),
        ];
        let said = self.form(node, "server/register", None, &fields).await;
        let is_changed = self.is_changed(node, &said);
        if is_changed {
            self.me.dead_key = Some(std::mem::replace(&mut self.me.key, new));
        }
        is_changed
    }

    /// Another chat server registers; every other one is deactivated at once.
    async fn come_and_go(&mut self, node: usize) -> bool {
        let mut other = Credentials::drawn(&mut self.chance);
        if !self.register(&other, node).await {
            return false;
        }
        other.is_active = Standing::Stored;
        if self.chance.below(2) == 0 {
            let node = self.any_node();
            let authorization = Some(authorization(&other));
            let said = self.ask(node, "server/deactivate", authorization, JSON, "{}".into()).await;
            other.is_active = match self.is_changed(node, &said) {
                true => Standing::Removed,
                false => Standing::Unknown,
            };
        }
        self.journal.servers.push(other);
        true
    }

    /// A notification to the user whose phones stay; whether it was taken.
    async fn notify(&mut self, node: usize) -> bool {
        let message = MESSAGES.fetch_add(1, Ordering::Relaxed);
        let body = to(
            STEADY,
            json!({
                "gcm_payload": {"event": "message", "zulip_message_id": message, "content": "Hello"},
                "apns_payload": {
                    "alert": {"title": "Cordelia", "body": "Hello"},
                    "custom": {"zulip": {"message_ids": [message]}},
                },
            }),
        );
        let run = || self.shared.nodes[node].runs.load(Ordering::SeqCst);
        let before = run();
        let authorization = Some(self.authorization());
        let said = self.ask(node, "push/notify", authorization, JSON, body.to_string()).await;
        let place = &self.shared.nodes[node];
        let is_taken = match &said {
            Said::Yes(answer) => {
                place.notifies.fetch_add(1, Ordering::SeqCst);
                let phones = (&answer["total_android_devices"], &answer["total_apple_devices"]);
                if phones != (&1.into(), &1.into()) {
                    self.journal.untrue.push(format!("a user has lost phones: {answer}"));
                }
                true
            }
            Said::Nothing => false,
        };
        let runs = (before, place.runs.load(Ordering::SeqCst));
        let taken = is_taken.then(Instant::now);
        let server = self.me.id.clone();
        self.journal.notifies.push(Notify { server, message, node, runs, taken });
        is_taken
    }

    fn is_changed(&self, node: usize, said: &Said) -> bool {
        let is_changed = matches!(said, Said::Yes(_));
        self.shared.nodes[node].changes.fetch_add(usize::from(is_changed), Ordering::SeqCst);
        is_changed
    }
}
