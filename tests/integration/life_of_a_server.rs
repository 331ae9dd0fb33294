//! A server's whole life, from its registration to its end, played by clients nobody here wrote: Python's
//! `requests`, and libsodium in its users' phones.

use std::{fs, path::Path, process::Stdio, time::Duration};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::world::{World, until};

/// Above what one step of the script may take.
const LINE_WITHIN: Duration = Duration::from_secs(60);

/// How the script asks for what reached the push services; behind it stands how much it waits for.
const QUESTION: &str = "pushes? ";

/// Its last step.
const END: &str = "leaves its name to another";

/// Its own host is on loopback, where the bouncer calls nobody unless it is told so.
const SETTINGS: &str = "outbound.permitted_networks = [\"127.0.0.0/8\"]";

#[tokio::test]
async fn a_server_lives_from_its_registration_to_its_end() {
    let world = World::start(SETTINGS).await;
    let app = world.app_build().await;
    let directory = TempDir::new().unwrap();
    let (certificate, key) =
        world.surroundings.authority().server_certificate(&["localhost"]).unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let python = std::env::var("PUSH_BOUNCER_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/life_of_a_server.py"))
        .arg(format!("https://localhost:{}", world.address().port()))
        .arg(world.authority_file())
        .arg(file("host.pem", &certificate))
        .arg(file("host-key.pem", &key))
        .arg(app.public_key)
        // Without its asserts it would be content with everything.
        .env_remove("PYTHONOPTIMIZE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the interpreter starts");
    let steps = play(script, &world).await;
    assert_eq!(steps.last().map(String::as_str), Some(END), "{steps:#?}");
    world.shutdown().await;
}

/// Answers the script's questions until it ends well; gives the steps it took.
async fn play(mut script: Child, world: &World) -> Vec<String> {
    let mut answers = script.stdin.take().unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let mut errors = script.stderr.take().unwrap();
    let complaint = tokio::spawn(async move {
        let mut text = String::new();
        errors.read_to_string(&mut text).await.unwrap();
        text
    });
    let (mut steps, mut seen) = (Vec::new(), (0, 0));
    loop {
        let line = timeout(LINE_WITHIN, lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("too long after {steps:#?}")).unwrap();
        let Some(line) = line else { break };
        match line.strip_prefix(QUESTION) {
            Some(count) => {
                let count = count.parse().unwrap();
                let enough = async || (arrived(world, seen) >= count).then_some(());
                until(&format!("{count} pushes arrive after {steps:#?}"), enough).await;
                let answer = format!("{}\n", pushes(world, &mut seen));
                answers.write_all(answer.as_bytes()).await.unwrap();
            }
            None => steps.push(line),
        }
    }
    let status = script.wait().await.unwrap();
    assert!(status.success(), "after {steps:#?}\n{}", complaint.await.unwrap());
    steps
}

/// How many pushes arrived since it was last asked.
fn arrived(world: &World, (apns_seen, fcm_seen): (usize, usize)) -> usize {
    let (apns, fcm) = world.arrived();
    apns - apns_seen + fcm - fcm_seen
}

/// What reached the push services since it was last asked, Apple's first.
fn pushes(world: &World, (apns_seen, fcm_seen): &mut (usize, usize)) -> Value {
    let apns = world.surroundings.apns.requests();
    let fcm = world.surroundings.fcm.requests();
    let body = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let apple = apns[*apns_seen..].iter().map(|request| {
        let headers: Map<String, Value> =
            request.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({"token": request.token(), "headers": headers, "body": body(&request.body)})
    });
    let google = fcm[*fcm_seen..]
        .iter()
        .map(|request| json!({"token": request.token, "body": body(&request.body)}));
    let pushes = apple.chain(google).collect();
    (*apns_seen, *fcm_seen) = (apns.len(), fcm.len());
    pushes
}
