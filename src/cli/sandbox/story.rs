//! The demonstration: a server registers phones of one user, in clear and encrypted, and sends to them.

use std::io;

use serde_json::Value;
use tokio::time::Instant;

use self::cast::{ANDROID, Cast, IPHONE, NEW_ANDROID, NEW_IPHONE};
use super::report::{Received, Step};
use crate::{
    clock::Clock,
    random::Random,
    sandbox::{
        phone::Phone,
        remote_server::{RemoteServer, Reply},
        surroundings::Surroundings,
    },
};

mod bodies;
mod cast;

/// Tells the story; each step is one request. The apps were built with this public key of the bouncer.
pub(super) async fn tell(
    server: &RemoteServer,
    surroundings: &Surroundings,
    public_key: &str,
) -> Vec<Step> {
    let random = Random::default();
    let cast = Cast::new(&random);
    let clock = surroundings.clock.clone();
    let (apns_seen, fcm_seen, steps) = (0, 0, Vec::new());
    let mut stage = Stage { server, surroundings, cast, clock, random, apns_seen, fcm_seen, steps };
    stage.register_server().await;
    stage.in_clear().await;
    stage.encrypted(public_key).await;
    stage.steps
}

struct Stage<'a> {
    server: &'a RemoteServer,
    surroundings: &'a Surroundings,
    cast: Cast,
    clock: Clock,
    random: Random,
    apns_seen: usize,
    fcm_seen: usize,
    steps: Vec<Step>,
}

impl Stage<'_> {
    async fn register_server(&mut self) {
        let began = Instant::now();
        let registered = self.server.register("admin@chat.example.org").await;
        self.note("The server registers", "server/register", began, registered, &[]);
    }

    /// With apps that do not encrypt.
    async fn in_clear(&mut self) {
        let [iphone, android] =
            [bodies::registration_of(&IPHONE), bodies::registration_of(&ANDROID)];
        let register = "push/register";
        self.post_form("Iago registers his iPhone", register, &iphone).await;
        self.post_form("Iago registers his Android phone", register, &android).await;
        let both = [IPHONE.name, ANDROID.name];
        let notify = "push/notify";
        self.post("Cordelia writes to Iago", notify, &bodies::message(), &both).await;
        self.post("Iago reads it on his laptop", notify, &bodies::removal(), &both).await;
        let (test, iphone, android) =
            ("push/test_notification", bodies::test_of(&IPHONE), bodies::test_of(&ANDROID));
        self.post("Iago tests his iPhone", test, &iphone, &both[..1]).await;
        self.post("Iago tests his Android phone", test, &android, &both[1..]).await;
    }

    /// The same with new apps, for which the bouncer has to know the organization.
    async fn encrypted(&mut self, public_key: &str) {
        let realms = bodies::upload(&self.server.hostname);
        self.post_form("The server uploads its organizations", "server/analytics", &realms).await;
        let iphone = self.registration(&self.cast.iphone, public_key);
        self.register("Iago's new iPhone registers, encrypted", iphone).await;
        let android = self.registration(&self.cast.android, public_key);
        self.register("Iago's new Android registers, encrypted", android).await;
        let both = [NEW_IPHONE.name, NEW_ANDROID.name];
        let notify = "push/e2ee/notify";
        let message = self.encrypt(&bodies::message_plaintext());
        self.post("Cordelia writes to Iago, encrypted", notify, &message, &both).await;
        let removal = self.encrypt(&bodies::removal_plaintext());
        self.post("Iago reads it on his laptop, encrypted", notify, &removal, &both).await;
    }

    /// The form that registers a phone, as its chat server sends it.
    fn registration(&self, phone: &Phone, public_key: &str) -> io::Result<Form> {
        let registration = phone
            .registration(public_key, self.clock.now(), &self.random)
            .map_err(io::Error::other)?;
        let mut form = vec![("realm_uuid", bodies::REALM_UUID.to_owned())];
        form.extend(registration.fields().map(|(name, value)| (name, value.to_owned())));
        Ok(form)
    }

    async fn register(&mut self, title: &'static str, form: io::Result<Form>) {
        let path = "push/e2ee/register";
        match form {
            Ok(form) => self.post_form(title, path, &form).await,
            Err(error) => self.note(title, path, Instant::now(), Err(error), &[]),
        }
    }

    /// What the chat server sends to say this to both new phones.
    fn encrypt(&self, plaintext: &Value) -> Value {
        let requests = [&self.cast.iphone, &self.cast.android]
            .map(|phone| phone.push_device().push_request(plaintext, &self.random));
        bodies::push_requests(&requests)
    }

    async fn post_form(
        &mut self,
        title: &'static str,
        path: &'static str,
        fields: &[(&'static str, String)],
    ) {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let began = Instant::now();
        let reply = self.server.post_form(path, &fields).await;
        self.note(title, path, began, reply, &[]);
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

    /// Notes a step; it went well when the bouncer said so and exactly these phones got something they
    /// can read.
    fn note(
        &mut self,
        title: &'static str,
        path: &'static str,
        began: Instant,
        reply: io::Result<Reply>,
        phones: &[&str],
    ) {
        let milliseconds = began.elapsed().as_millis();
        let received = self.received();
        let reached: Vec<&str> = received.iter().map(|received| received.phone).collect();
        let readable = received.iter().all(|received| received.readable);
        let (status, answer) = match reply {
            Ok(reply) => (reply.status.as_u16(), reply.json),
            Err(error) => (0, error.to_string().into()),
        };
        let ok = status == 200 && answer["result"] == "success" && reached == phones && readable;
        self.steps.push(Step { title, path, ok, status, milliseconds, answer, received });
    }

    /// What the phones received since it was last asked.
    fn received(&mut self) -> Vec<Received> {
        let apns = self.surroundings.apns.requests();
        let fcm = self.surroundings.fcm.requests();
        let payload = |body: &[u8]| serde_json::from_slice(body).unwrap_or_default();
        let by_apple =
            apns[self.apns_seen..].iter().map(|request| self.cast.by_apple(payload(&request.body)));
        let by_google =
            fcm[self.fcm_seen..].iter().map(|request| self.cast.by_google(&payload(&request.body)));
        let received = by_apple.chain(by_google).collect();
        (self.apns_seen, self.fcm_seen) = (apns.len(), fcm.len());
        received
    }
}

type Form = Vec<(&'static str, String)>;
