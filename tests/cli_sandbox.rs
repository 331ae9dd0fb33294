//! `push-bouncer sandbox apns` and `fcm`: one fake alone, its files and its control port.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A fake that runs, and what it said when it began.
struct Fake {
    process: Child,
    told: Value,
}

impl Fake {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .arg("sandbox")
            .args(arguments)
            .args(["--json", "--control", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, told: serde_json::from_str(&line).unwrap() }
    }

    fn file(&self, name: &str) -> &Path {
        Path::new(self.told[name].as_str().unwrap())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let control = self.told["control_url"].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(control).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {control}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    fn terminate(mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_files_of_a_fake_are_used_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("made/for/it");
    let arguments = ["apns", "--directory", path.to_str().unwrap(), "--topics", "a.b,c.d"];
    let fake = Fake::start(&arguments);
    assert_eq!(fake.told["topics"], json!(["a.b", "c.d"]));
    assert_eq!(fake.told["key_id"].as_str().unwrap().len(), 10);
    let files = ["authority_file", "key_file"];
    let before = files.map(|name| fs::read_to_string(fake.file(name)).unwrap());
    assert!(before[1].starts_with("-----BEGIN PRIVATE KEY-----"));
    let mode = fs::metadata(fake.file("key_file")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fake.terminate().success());
    let fake = Fake::start(&arguments);
    assert_eq!(files.map(|name| fs::read_to_string(fake.file(name)).unwrap()), before);
    assert!(fake.terminate().success());
}

#[test]
fn every_project_has_an_account_of_its_own_which_stays() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_str().unwrap();
    let arguments = ["fcm", "--directory", path, "--project", "one", "--project", "two"];
    let account = |fake: &Fake, project: &str| -> Value {
        let file = fake.told["service_account_files"][project].as_str().unwrap();
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    };
    let fake = Fake::start(&arguments);
    let (one, two) = (account(&fake, "one"), account(&fake, "two"));
    assert_eq!((&one["project_id"], &two["project_id"]), (&json!("one"), &json!("two")));
    assert_eq!(one["token_uri"], fake.told["token_uri"]);
    assert!(fake.terminate().success());
    let fake = Fake::start(&arguments);
    let again = account(&fake, "one");
    for member in ["private_key", "private_key_id", "client_email", "client_id"] {
        assert_eq!(again[member], one[member], "{member}");
    }
    assert_eq!(again["token_uri"], fake.told["token_uri"], "the port is another one now");
}

#[test]
fn the_examples_of_the_document_are_taken() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SANDBOX.md");
    let document = fs::read_to_string(document).unwrap();
    let examples: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("$ curl ")).collect();
    assert!(examples.len() > 10, "they are found: {}", examples.len());
    let fake = Fake::start(&["apns"]);
    for example in examples {
        let (request, body) = example.split_once(" -d ").unwrap_or((example, "''"));
        let body = body.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
        let (method, url) = match request.strip_prefix("-X ") {
            Some(request) => request.split_once(' ').unwrap(),
            None => ("GET", request),
        };
        let path = url.strip_prefix("$CONTROL").unwrap();
        let (status, answer) = fake.ask(method, path, body);
        assert_eq!(status, 200, "{example}: {answer}");
    }
    let (_, faults) = fake.ask("GET", "/faults", "");
    let members: Vec<&String> = faults.as_object().unwrap().keys().collect();
    for member in members {
        assert!(document.contains(&format!("`{member}`")), "{member} is documented");
    }
}

#[test]
fn addresses_that_others_could_reach_are_refused() {
    for arguments in [
        &["apns", "--listen", "0.0.0.0:0"][..],
        &["apns", "--control", "0.0.0.0:0"],
        &["fcm", "--project", "../x"],
        &["--once", "apns"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .arg("sandbox")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(matches!(output.status.code(), Some(2 | 69)), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_person_is_told_where_everything_is() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
        .args(["sandbox", "apns"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut told = String::new();
    for line in lines {
        told += &line;
        if line == "Serving until Ctrl-C." {
            break;
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    for part in ["Apple's push service", "https://127.0.0.1:", "authority.pem", "SANDBOXKEY.p8"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}
