//! What the log tells the operator to do something about.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use push_bouncer::sandbox::faults::{Act, Script};
use sea_orm::ConnectionTrait as _;
use serde_json::Value;
use tempfile::NamedTempFile;
use tracing::{Dispatch, subscriber::DefaultGuard};

use crate::world::{IAGO, Phone, Registered, World, message, to};

/// The log of this thread: the tests here run on one.
pub(crate) struct Log {
    file: NamedTempFile,
    _guard: DefaultGuard,
    /// While there is only one subscriber, a line that another thread comes to first is off for all of them.
    _second: Dispatch,
}

impl Log {
    /// Writes down what is logged until this is dropped.
    pub(crate) fn begin() -> Self {
        let file = NamedTempFile::new().unwrap();
        let writer = Mutex::new(file.reopen().unwrap());
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(writer).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        Self { file, _guard: guard, _second: Dispatch::new(tracing_subscriber::registry()) }
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.file.path()).unwrap()
    }

    /// The lines about an event.
    pub(crate) fn about(&self, event: &str) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == event).collect()
    }
}

#[tokio::test]
async fn a_server_that_waits_is_told_once_with_what_lets_it_push() {
    let log = Log::begin();
    let world = World::start("registration.mode = \"approval\"\n").await;
    let server = world.new_chat_server("Chat.selfhosted.test:443");
    assert_eq!(server.register().await, Registered::Created);
    assert_eq!(server.register().await, Registered::Updated);
    let told = log.about("server.waiting");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["level"], &told[0]["server"]), (&"WARN".into(), &(*server.org_id).into()));
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.contains("`push-bouncer server approve chat.selfhosted.test`"), "{message}");
    world.shutdown().await;
}

#[tokio::test]
async fn a_brake_is_told_once_with_what_releases_it() {
    let log = Log::begin();
    let world = World::start("push.answer_within = \"10s\"").await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let refuse: Script = Arc::new(|_| Act::Refuse("BadDeviceToken".to_owned()));
    world.surroundings.apns.faults().set_script(Some(refuse));
    for number in 0..60 {
        server.register_phone(IAGO, &Phone::apple(&format!("iphone-{number}"))).await;
    }
    server.notify(&to(IAGO, message())).await;
    server.notify(&to(IAGO, message())).await;
    let told = log.about("brake.engaged");
    assert_eq!(told.len(), 1, "{told:?}");
    let expected = ["ERROR", "apns", "sandbox"].map(Value::from);
    assert_eq!([&told[0]["level"], &told[0]["provider"], &told[0]["app"]], expected.each_ref());
    let line = told[0]["message"].as_str().unwrap();
    assert!(line.contains("`push-bouncer brake release apns sandbox --restore`"), "{line}");
    world.shutdown().await;
}

#[tokio::test]
async fn a_server_that_does_not_wait_is_no_warning() {
    let log = Log::begin();
    let world = World::start("").await;
    world.chat_server("chat.selfhosted.test").await;
    assert_eq!(log.about("server.registered").len(), 1);
    assert_eq!(log.about("server.waiting"), Vec::<Value>::new());
    world.shutdown().await;
}

#[tokio::test]
async fn registration_keys_that_cannot_be_read_are_not_called_sealed() {
    let world = World::start("").await;
    let database = world.database().await;
    for table in ["registration_key_uses", "registration_keys"] {
        database.execute_unprepared(&format!("DROP TABLE {table}")).await.unwrap();
    }
    database.close().await.unwrap();
    let log = Log::begin();
    let config = world.surroundings.config().to_owned();
    let world = world.again(&config).await;
    assert_eq!(log.about("registration_key.unread").len(), 1);
    assert_eq!(log.about("registration_key.sealed"), Vec::<Value>::new());
    world.shutdown().await;
}
