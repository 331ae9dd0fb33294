//! `push-bouncer key registration`: what it prints, and with which status it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use entities::{registration_key_uses, registration_keys};
use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ActiveValue::Set, Database, EntityTrait as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use database::TestDatabase;

#[path = "integration/world/database.rs"]
mod database;

/// The pair of the protocol's example (5.3).
const PRIVATE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PUBLIC_KEY: &str = "j0DFrbaPJWJK5bIU6nZ6bslNgp09e14a0bpvPiE4KF8=";

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// An operator with a configuration and an empty database.
struct Operator {
    directory: TempDir,
    url: String,
    database: TestDatabase,
}

impl Operator {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let database = TestDatabase::create().await;
        let sqlite = format!("sqlite://{}", directory.path().join("x.sqlite").display());
        let url = database.url().map_or(sqlite, str::to_owned);
        let operator = Self { directory, url, database };
        operator.set_secret("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        operator.configure(&operator.url);
        operator
    }

    fn set_secret(&self, secret: &str) {
        fs::write(self.directory.path().join("secret.key"), secret).unwrap();
    }

    fn configure(&self, url: &str) {
        let secret = self.directory.path().join("secret.key");
        let settings = format!(
            "public_url = \"https://push.example.com\"\nsecret_key_file = {secret:?}\n\
             http.listen = [\"127.0.0.1:0\"]\ndatabase.url = {url:?}\n\
             database.acquire_timeout = \"1s\"\n\
             http.tls = {{ cert_file = \"c.pem\", key_file = \"k.pem\" }}\n"
        );
        fs::write(self.config(), settings).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("push-bouncer.toml")
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .args(["key", "registration"])
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        program.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        program.wait_with_output().unwrap()
    }

    /// The one JSON value that a command prints, with its status.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json"]].concat(), "");
        assert_eq!(stderr(&output), "");
        let value = serde_json::from_slice(&output.stdout).expect("one JSON value");
        (output.status.code().unwrap(), value)
    }

    /// A new key; its public half.
    fn create(&self) -> String {
        let (status, value) = self.json(&["create"]);
        assert_eq!((status, &value["change"]), (0, &json!("added")));
        value["public_key"].as_str().unwrap().to_owned()
    }

    /// As if phones had registered with the first key so many days ago.
    async fn use_key(&self, days_ago: i64, uses: i64) {
        let database = Database::connect(&self.url).await.unwrap();
        let key = registration_keys::Entity::find().one(&database).await.unwrap().unwrap();
        let now = push_bouncer::clock::Clock::default().now().unix_millis();
        let row = registration_key_uses::ActiveModel {
            key_id: Set(key.id),
            end_time: Set(now - days_ago * DAY_MILLIS),
            uses: Set(uses),
        };
        registration_key_uses::Entity::insert(row).exec_without_returning(&database).await.unwrap();
        database.close().await.unwrap();
    }

    async fn leave(self) {
        self.database.remove().await;
    }
}

#[tokio::test]
async fn create_prints_the_public_key_and_says_where_it_goes() {
    let operator = Operator::new().await;
    let output = operator.run(&["create"], "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let key = stdout(&output);
    assert_eq!((key.len(), key.lines().count()), (45, 1), "{key}");
    assert!(stderr(&output).contains("goes into the app's build"), "{}", stderr(&output));
    assert_ne!(operator.create(), key.trim());
    operator.leave().await;
}

#[tokio::test]
async fn a_key_of_another_bouncer_is_taken_over_and_never_printed() {
    let operator = Operator::new().await;
    for change in ["added", "none"] {
        let output = operator.run(&["create", "--import-stdin", "--json"], PRIVATE_KEY);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value, json!({"public_key": PUBLIC_KEY, "change": change}));
        assert!(!stdout(&output).contains(PRIVATE_KEY));
    }
    let database = Database::connect(&operator.url).await.unwrap();
    let stored = registration_keys::Entity::find().one(&database).await.unwrap().unwrap();
    let private: Vec<u8> = (0..32).collect();
    assert!(!stored.sealed_private_key.0.windows(8).any(|window| window == &private[..8]));
    database.close().await.unwrap();

    for input in ["", "no key", "AAEC", &PRIVATE_KEY[..43], &"A".repeat(5000)] {
        let output = operator.run(&["create", "--import-stdin"], input);
        assert_eq!(output.status.code(), Some(4));
        assert_eq!(stdout(&output), "");
        let expected = "error: standard input is not a private key: 32 bytes in base64\n";
        assert_eq!(stderr(&output), expected);
    }
    operator.leave().await;
}

#[tokio::test]
async fn list_shows_state_and_uses_of_the_last_30_days() {
    let operator = Operator::new().await;
    let empty = operator.run(&["list"], "");
    assert_eq!((empty.status.code(), stdout(&empty).lines().count()), (Some(0), 1));
    assert!(stderr(&empty).contains("key registration create"), "{}", stderr(&empty));
    assert_eq!(operator.json(&["list"]), (0, json!({"keys": []})));

    let (first, second) = (operator.create(), operator.create());
    operator.use_key(1, 3).await;
    operator.use_key(29, 4).await;
    operator.use_key(31, 5).await;
    assert_eq!(operator.json(&["retire", &second]).0, 0);

    let text = stdout(&operator.run(&["list"], ""));
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["PUBLIC", "KEY", "CREATED", "USES", "30D", "STATE"]);
    assert_eq!((lines[1][0], &lines[1][2..]), (&*first, &["7", "active"][..]));
    assert_eq!((lines[2][0], &lines[2][2..]), (&*second, &["0", "retired"][..]));
    let (_, value) = operator.json(&["list"]);
    assert_eq!(value["keys"][0]["uses_30_days"], 7);
    assert_eq!(value["keys"][1]["state"], "retired");
    assert!(value["keys"][1]["retired_at"].as_str().unwrap().ends_with('Z'));
    operator.leave().await;
}

#[tokio::test]
async fn a_key_in_use_is_retired_only_by_force() {
    let operator = Operator::new().await;
    let key = operator.create();
    operator.use_key(2, 3).await;
    let (status, value) = operator.json(&["retire", &key]);
    assert_eq!((status, &value["error"]["code"]), (4, &json!("refused")));
    assert!(value["error"]["message"].as_str().unwrap().contains(&key), "{value}");
    assert!(value["error"]["help"].as_str().unwrap().contains("--force"), "{value}");
    let output = operator.run(&["retire", &key], "");
    assert_eq!((output.status.code(), stdout(&output)), (Some(4), String::new()));
    assert!(stderr(&output).contains("\nhelp: with `--force`"), "{}", stderr(&output));

    let done = (0, json!({"public_key": key, "change": "retired"}));
    assert_eq!(operator.json(&["retire", &key, "--force"]), done);
    let again = (0, json!({"public_key": key, "change": "none"}));
    assert_eq!(operator.json(&["retire", &key]), again);
    operator.leave().await;
}

#[tokio::test]
async fn a_key_is_named_by_a_beginning_that_no_other_has() {
    let operator = Operator::new().await;
    let keys = [operator.create(), operator.create()];
    let (status, value) = operator.json(&["retire", "%%%%%%"]);
    assert_eq!((status, &value["error"]["code"]), (3, &json!("no_match")));
    assert_eq!(operator.json(&["retire", &keys[0][..20]]).1["public_key"], keys[0]);
    operator.leave().await;
}

#[tokio::test]
async fn fewer_than_six_characters_name_no_key() {
    let operator = Operator::new().await;
    let key = operator.create();
    for beginning in ["", &key[..1], &key[..5]] {
        let (status, value) = operator.json(&["retire", beginning]);
        assert_eq!((status, &value["error"]["code"]), (3, &json!("no_match")), "{beginning:?}");
    }
    assert_eq!(operator.json(&["list"]).1["keys"][0]["state"], "active");
    assert_eq!(operator.json(&["retire", &key[..6]]).1["change"], "retired");
    operator.leave().await;
}

#[tokio::test]
async fn a_schema_in_use_is_not_changed_by_a_command() {
    let operator = Operator::new().await;
    let database = Database::connect(&operator.url.replace(".sqlite", ".sqlite?mode=rwc")).await;
    let database = database.unwrap();
    Migrator::up(&database, Some(Migrator::migrations().len() as u32 - 1)).await.unwrap();
    let (status, value) = operator.json(&["list"]);
    assert_eq!((status, &value["error"]["code"]), (75, &json!("try_later")));
    let message = value["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("the schema lacks 1 migrations"), "{message}");
    let pending = Migrator::get_pending_migrations(&database).await.unwrap();
    assert_eq!(pending.len(), 1, "the command left it alone");

    Migrator::up(&database, None).await.unwrap();
    database.close().await.unwrap();
    assert_eq!(operator.json(&["list"]).0, 0);
    operator.leave().await;
}

#[tokio::test]
async fn what_is_in_the_way_is_told_by_the_status() {
    let operator = Operator::new().await;
    operator.set_secret("too short");
    let (status, value) = operator.json(&["list"]);
    assert_eq!((status, &value["error"]["code"]), (78, &json!("configuration")));
    // Nothing listens on port 1.
    operator.configure("postgres://nobody@127.0.0.1:1/nothing");
    let (status, value) = operator.json(&["list"]);
    assert_eq!((status, &value["error"]["code"]), (69, &json!("unavailable")));
    fs::remove_file(operator.config()).unwrap();
    assert_eq!(operator.json(&["list"]).0, 78);
    operator.leave().await;
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
