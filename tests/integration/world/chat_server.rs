//! A self-hosted chat server with what it does most.

use std::{
    net::SocketAddr,
    ops::Deref,
    sync::Mutex,
    time::{Duration, Instant},
};

use push_bouncer::sandbox::{
    authority::Authority,
    remote_server::{RemoteServer, Reply},
};
use serde_json::{Value, json};

use super::{Phone, User};

/// A chat server that uses the bouncer.
pub(crate) struct ChatServer {
    server: RemoteServer,
    /// How long each answer to a notification that was taken took.
    times: Mutex<Vec<Duration>>,
}

/// What became of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    /// A new server.
    Created,
    /// A known one.
    Updated,
    /// Neither: the status and the code.
    Refused(u16, String),
}

impl ChatServer {
    /// A server with new credentials that has not registered yet.
    pub(super) fn new(bouncer: SocketAddr, authority: &Authority, hostname: &str) -> Self {
        let server = RemoteServer::new(bouncer, authority, hostname);
        Self { server: server.expect("the authority can be trusted"), times: Mutex::default() }
    }

    /// The same server, with the same credentials, at another address of the bouncer.
    pub(super) fn moved_to(&self, bouncer: SocketAddr, authority: &Authority) -> Self {
        let mut moved = Self::new(bouncer, authority, &self.hostname);
        moved.server.org_id.clone_from(&self.org_id);
        moved.server.org_key.clone_from(&self.org_key);
        moved
    }

    /// Goes on with another key.
    pub(crate) fn set_key(&mut self, key: &str) {
        key.clone_into(&mut self.server.org_key);
    }

    /// Registers, or changes what is registered.
    pub(crate) async fn register(&self) -> Registered {
        self.register_with(&[]).await
    }

    /// The same with other values than its own, or more of them.
    pub(crate) async fn register_with(&self, others: &[(&str, &str)]) -> Registered {
        let own = [
            ("zulip_org_id", self.org_id.as_str()),
            ("zulip_org_key", &self.org_key),
            ("hostname", &self.hostname),
            ("contact_email", "admin@selfhosted.test"),
        ];
        // Of a field that is there twice the last counts.
        let fields: Vec<_> = own.iter().chain(others).copied().collect();
        let reply = self.server.post_form("server/register", &fields).await;
        Registered::read(&reply.expect("the bouncer answers"))
    }

    /// Sends a form.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, String)]) -> Reply {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.server.post_form(path, &fields).await.expect("the bouncer answers")
    }

    /// Sends JSON.
    pub(crate) async fn json(&self, path: &str, body: &Value) -> Reply {
        self.server.post_json(path, body).await.expect("the bouncer answers")
    }

    /// Sends a form about a user's phone, and whatever else; gives the status and the whole answer.
    pub(crate) async fn about_phone(
        &self,
        path: &str,
        user: User,
        phone: &Phone,
        more: &[(&'static str, &str)],
    ) -> (u16, Value) {
        let mut fields = [user.fields(), phone.fields()].concat();
        fields.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let reply = self.form(path, &fields).await;
        (reply.status.as_u16(), reply.json)
    }

    /// Registers a user's phone.
    pub(crate) async fn register_phone(&self, user: User, phone: &Phone) {
        let app_id = [("ios_app_id", phone.app_id)];
        let answer = self.about_phone("push/register", user, phone, &app_id).await;
        assert_eq!(answer.0, 200, "{answer:?}");
    }

    /// Sends a notification, which is taken; gives the answer.
    pub(crate) async fn notify(&self, body: &Value) -> Value {
        let began = Instant::now();
        let reply = self.json("push/notify", body).await;
        assert_eq!(reply.status, 200, "{}", reply.json);
        self.times.lock().unwrap().push(began.elapsed());
        reply.json
    }

    /// How long the answers to its notifications took so far.
    pub(crate) fn times(&self) -> Vec<Duration> {
        self.times.lock().unwrap().clone()
    }

    /// How many Android and Apple phones of a user the bouncer has; found out without a push.
    pub(crate) async fn phones_of(&self, user: User) -> (u64, u64) {
        totals(&self.notify(&super::to(user, json!({}))).await)
    }

    /// Makes this one realm known, and a feature level; gives the answer.
    pub(crate) async fn upload_realm(&self, uuid: &str) -> Value {
        self.upload_realm_with(uuid, &[]).await
    }

    /// The same with further tables.
    pub(crate) async fn upload_realm_with(&self, uuid: &str, more: &[(&str, Value)]) -> Value {
        let realm = json!({
            "id": 2, "uuid": uuid, "uuid_owner_secret": "secret", "host": self.hostname,
            "url": format!("https://{}", self.hostname), "name": "Realm", "org_type": 10,
            "date_created": 1_700_000_000.5, "deactivated": false,
            "authentication_methods": {"Email": true}, "is_system_bot_realm": false,
        });
        let mut fields = vec![
            ("realm_counts", "[]".to_owned()),
            ("installation_counts", "[]".to_owned()),
            ("realms", json!([realm]).to_string()),
            ("api_feature_level", "300".to_owned()),
        ];
        fields.extend(more.iter().map(|(name, rows)| (*name, rows.to_string())));
        let reply = self.form("server/analytics", &fields).await;
        assert_eq!(reply.status, 200, "{}", reply.json);
        reply.json
    }
}

impl Registered {
    /// What an answer says.
    pub(crate) fn read(reply: &Reply) -> Self {
        match reply.json["created"].as_bool() {
            Some(true) => Self::Created,
            Some(false) => Self::Updated,
            None => Self::Refused(
                reply.status.as_u16(),
                reply.json["code"].as_str().unwrap_or_default().to_owned(),
            ),
        }
    }
}

impl Deref for ChatServer {
    type Target = RemoteServer;

    fn deref(&self) -> &RemoteServer {
        &self.server
    }
}

/// The totals of an answer: Android and Apple.
fn totals(answer: &Value) -> (u64, u64) {
    let total = |name: &str| answer[name].as_u64().expect("a total is a number");
    (total("total_android_devices"), total("total_apple_devices"))
}
