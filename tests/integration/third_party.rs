//! The sandbox against programs that nobody of this project wrote: `aioapns`, `firebase-admin`, libsodium.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto_box::SecretKey;
use push_bouncer::{
    clock::{Clock, Timestamp},
    random::Random,
    sandbox::{
        apns::{ApnsOptions, AppleKey, FakeApns},
        authority::Authority,
        fcm::{FakeFcm, FcmOptions, ServiceAccount},
        phone::Phone,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

const TOPIC: &str = "org.example.chat";
const DEADLINE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn aioapns_understands_the_sandbox() {
    let authority = Authority::new().unwrap();
    let clock = Clock::default();
    let key = AppleKey::generate("TEAM000001", "KEY0000001").unwrap();
    let directory = TempDir::new().unwrap();
    let file = |name: &str, content: &str| write(&directory, name, content);
    let ca_file = file("ca.pem", &authority.certificate_pem());
    let key_file = file("key.p8", &key.private_key_pem());
    let (certificate, private) = authority.client_certificate(TOPIC).unwrap();
    let identity_file = file("client.pem", &format!("{certificate}{private}"));
    let options = ApnsOptions {
        keys: vec![key],
        topics: vec![TOPIC.into()],
        client_certificates: true,
        ..ApnsOptions::default()
    };
    let apns = FakeApns::start(&authority, clock.clone(), options).await.unwrap();
    let address = format!("localhost:{}", apns.address().port());

    let before = clock.now().unix_millis();
    let arguments =
        [&address, &ca_file, &key_file, "KEY0000001", "TEAM000001", TOPIC, &identity_file];
    let mut results = run("apns_client.py", &arguments).await;
    let after = clock.now().unix_millis();

    let timestamp = results["dead"][2].take().as_i64().unwrap();
    assert!((before..=after).contains(&timestamp));
    let expected = json!({
        "accepted": ["200", null, null],
        "all headers": ["200", null, null],
        "dead": ["410", "Unregistered", null],
        "badtok": ["400", "BadDeviceToken", null],
        "nottopic": ["400", "DeviceTokenNotForTopic", null],
        "toomany": ["429", "TooManyRequests", null],
        "oops": ["500", "InternalServerError", null],
        "unavail": ["503", "ServiceUnavailable", null],
        "not hexadecimal": ["400", "BadDeviceToken", null],
        "other topic": ["400", "TopicDisallowed", null],
        "long collapse id": ["400", "BadCollapseId", null],
        "too large": ["413", "PayloadTooLarge", null],
        "many": ["200"],
        "connections": 1,
        "expired token": ["403", "ExpiredProviderToken", null],
        "token of the future": ["403", "InvalidProviderToken", null],
        "unknown key": ["403", "InvalidProviderToken", null],
        "unknown team": ["403", "InvalidProviderToken", null],
        "certificate": ["200", null, null],
    });
    assert_eq!(results, expected);
    let counters = apns.counters();
    assert_eq!((counters.connections, counters.refused_streams), (6, 0));
    let requests = apns.requests();
    assert_eq!(requests[0].header("apns-topic"), Some(TOPIC));
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(body, json!({ "aps": { "alert": "Grüße" } }));
    apns.shutdown().await;
}

#[tokio::test]
async fn firebase_admin_understands_the_sandbox() {
    let authority = Authority::new().unwrap();
    let account = ServiceAccount::generate("example-chat").unwrap();
    let stranger = ServiceAccount::generate("other-chat").unwrap();
    let options = FcmOptions { accounts: vec![account.clone()], ..FcmOptions::default() };
    let fcm = FakeFcm::start(&authority, Clock::default(), options).await.unwrap();
    let directory = TempDir::new().unwrap();
    let file = |name: &str, content: &str| write(&directory, name, content);
    let ca_file = file("ca.pem", &authority.certificate_pem());
    let account_file = file("account.json", &account.json(&fcm.token_uri()));
    let stranger_file = file("stranger.json", &stranger.json(&fcm.token_uri()));
    let address = format!("localhost:{}", fcm.address().port());

    let arguments = [address.as_str(), &ca_file, &account_file, &stranger_file];
    let results = run("fcm_client.py", &arguments).await;

    let cases = json!({
        "accepted": [true, null, null],
        "dead": [false, "UnregisteredError", "NOT_FOUND"],
        "badtok": [false, "InvalidArgumentError", "INVALID_ARGUMENT"],
        "nottopic": [false, "SenderIdMismatchError", "PERMISSION_DENIED"],
        "toomany": [false, "QuotaExceededError", "RESOURCE_EXHAUSTED"],
        "oops": [false, "InternalError", "INTERNAL"],
        "unavail": [false, "UnavailableError", "UNAVAILABLE"],
        "third party": [false, "ThirdPartyAuthError", "UNAUTHENTICATED"],
        "no such entity": [false, "NotFoundError", "NOT_FOUND"],
    });
    let mut expected = cases.clone();
    expected["reserved key"] = json!([false, "InvalidArgumentError", "INVALID_ARGUMENT"]);
    expected["too large"] = json!([false, "InvalidArgumentError", "INVALID_ARGUMENT"]);
    expected["rehearsal"] = json!([true, null, null]);
    expected["send_each"] = cases.clone();
    expected["send_each_async"] = cases;
    expected["unknown account"] = json!([false, "RefreshError", null]);
    assert_eq!(results, expected);
    let counters = fcm.counters();
    assert_eq!(counters.accepted, 4);
    assert!(counters.access_tokens >= 1);
    fcm.shutdown().await;
}

#[tokio::test]
async fn aioapns_gets_through_the_faults_of_the_standalone_sandbox() {
    let fake = Standalone::start(&["apns", "--token-update-interval", "0"]);
    let results = run("apns_faults.py", &[&fake.told]).await;
    let accepted = json!(["200", null, null]);
    let expected = json!({
        "accepted": accepted,
        "dead": ["410", "Unregistered", 1_700_000_000_123_i64],
        "before a goaway": accepted,
        "through a goaway": accepted,
        "goodbyes": [[0, {"reason": "Shutdown"}]],
        "processed": 4,
        "outage": ["503", "ServiceUnavailable", null],
        "refused": ["MaxAttemptsExceeded", null, null],
        "recovered": accepted,
        "cut": accepted,
        "lost answers": 1,
        "sent again with the same id": 1,
    });
    assert_eq!(results, expected);
}

#[tokio::test]
async fn firebase_admin_gets_through_the_faults_of_the_standalone_sandbox() {
    let fake = Standalone::start(&["fcm", "--project", "first-chat", "--project", "second-chat"]);
    let results = run("fcm_faults.py", &[&fake.told]).await;
    let expected = json!({
        "first": "accepted",
        "second": "accepted",
        "of another project": "SenderIdMismatchError",
        "dead": "UnregisteredError",
        "outage": "UnavailableError",
        "recovered": "accepted",
        "after its token expired": "accepted",
        "without a token": "RefreshError",
        "with a token again": "accepted",
        "goaway said": true,
        "accepted once": [1, 1, 1],
    });
    assert_eq!(results, expected);
}

/// A fake that a process of its own serves; it ends with this value.
struct Standalone {
    process: Child,
    /// The line of JSON it said when it began.
    told: String,
}

impl Standalone {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .arg("sandbox")
            .args(arguments)
            .args(["--json", "--control", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut told).unwrap();
        Self { process, told }
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn libsodium_understands_the_phones_of_the_sandbox() {
    let random = Random::default();
    let private_key = SecretKey::from_bytes(random.bytes());
    let public_key = STANDARD.encode(private_key.public_key().as_bytes());
    let phone = Phone::apple("c0ffee", TOPIC, &random);
    let at = Timestamp::from_unix_seconds(1_700_000_000);
    let registration = phone.registration(&public_key, at, &random).unwrap();
    let device = phone.push_device();
    let message = json!({"type": "message", "content": "Grüße"});
    let encrypted = device.push_key().encrypt(&message, &random);

    let arguments = [
        &public_key,
        &STANDARD.encode(private_key.to_bytes()),
        &registration.encrypted_push_registration,
        &device.push_key().expose(),
        &encrypted,
    ];
    let mut results = run("libsodium.py", &arguments.map(String::as_str)).await;

    let sealed = results["sealed"].take();
    let sealed = STANDARD.decode(sealed.as_str().unwrap()).unwrap();
    let opened = private_key.unseal(&sealed).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&opened).unwrap(), results["opened"]);
    let encrypted = results["encrypted"].take();
    assert_eq!(device.push_key().decrypt(encrypted.as_str().unwrap()).unwrap(), message);
    let registration = json!({
        "token": "c0ffee", "token_kind": "apns", "ios_app_id": TOPIC, "timestamp": 1_700_000_000,
    });
    let expected = json!({
        "opened": registration, "sealed": null, "decrypted": message, "encrypted": null,
    });
    assert_eq!(results, expected);
}

fn write(directory: &TempDir, name: &str, content: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a script of `tests/python` and reads the one line it prints.
async fn run(script: &str, arguments: &[&str]) -> Value {
    let python = env::var("PUSH_BOUNCER_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let mut process = Command::new(python)
        .arg(script)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = read(process.stdout.take().unwrap());
    let errors = read(process.stderr.take().unwrap());
    let ended = timeout(DEADLINE, async { (output.await.unwrap(), errors.await.unwrap()) }).await;
    if ended.is_err() {
        process.kill().unwrap();
    }
    let status = process.wait().unwrap();
    let (output, errors) = ended.expect("the script ends in time");
    assert!(status.success(), "{errors}");
    serde_json::from_str(&output).expect("the script prints one line of JSON")
}

fn read(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    spawn_blocking(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}
