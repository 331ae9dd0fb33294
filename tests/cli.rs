//! The command line: what it prints, and with which status it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The configuration is not valid: `EX_CONFIG` of `sysexits.h`.
const CONFIGURATION: i32 = 78;

/// Settings that would do if there were these files.
const SETTINGS: &str = "public_url = \"https://push.example.com\"\n\
    secret_key_file = \"secret.key\"\n\
    http.listen = [\"127.0.0.1:0\"]\n\
    http.tls = { cert_file = \"certificate.pem\", key_file = \"key.pem\" }\n";

#[test]
fn a_missing_file_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("nothing.toml");
    let complaint = refused(&file);
    assert!(complaint.starts_with("error: cannot read `"), "{complaint}");
    assert!(complaint.contains("nothing.toml"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

#[test]
fn an_unknown_key_is_shown_with_its_line() {
    let complaint = refused_settings("push.answer_witin = \"1s\"\n");
    for part in ["line 5", "push.answer_witin", "unknown field `answer_witin`", "answer_within"] {
        assert!(complaint.contains(part), "{part} in {complaint}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_shown_with_what_would_be_right() {
    let complaint = refused_settings("push.answer_within = 3\n");
    assert!(complaint.contains("line 5") && complaint.contains("string"), "{complaint}");
    let complaint = refused_settings("push.answer_within = \"3 sec\"\n");
    assert!(complaint.contains("`3 sec` is not a duration; write a number and"), "{complaint}");
    let complaint = refused_settings("limits.server.rate = \"1000\"\n");
    assert!(complaint.contains("write it like \"60/min\""), "{complaint}");
}

#[test]
fn settings_that_contradict_each_other_are_told_all_at_once() {
    let complaint = refused_settings(
        "push.answer_within = \"13s\"\n\
         database = { url = \"sqlite://x\", url_file = \"x\" }\n\
         [apns.ios]\ntopics = []\nenvironment = \"production\"\n",
    );
    for part in [
        "`push.answer_within` must be below",
        "`database.url` and `database.url_file` are both set",
        "`apns.ios.topics` names no bundle id",
        "`apns.ios` has neither `key_file` nor `cert_file`",
    ] {
        assert!(complaint.contains(part), "{part} in {complaint}");
    }
}

#[test]
fn a_credential_that_is_none_is_named_with_what_would_be_right() {
    let directory = TempDir::new().unwrap();
    let key = directory.path().join("AuthKey.p8");
    fs::write(&key, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let settings = format!(
        "database.url = \"sqlite://{}\"\n[apns.ios]\ntopics = [\"org.example.chat\"]\n\
         environment = \"production\"\nkey_file = {key:?}\nkey_id = \"ABCDE12345\"\n\
         team_id = \"ABCDE12345\"\n",
        directory.path().join("x.sqlite").display()
    );
    let complaint = refused_settings(&settings);
    assert!(complaint.contains("AuthKey.p8`: is a certificate; set `cert_file`"), "{complaint}");
}

#[test]
fn a_proxy_that_cannot_be_used_is_told_without_its_password() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("push-bouncer.toml");
    fs::write(&file, SETTINGS).unwrap();
    let output = program(&["serve", "--config", file.to_str().unwrap()])
        .env("HTTPS_PROXY", "https://bouncer:hidden@proxy.example.com:3128")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(CONFIGURATION), "{}", stderr(&output));
    let complaint = stderr(&output);
    for part in ["`HTTPS_PROXY` of the environment begins with `https://`", "`proxy.url = \"\"`"] {
        assert!(complaint.contains(part), "{part} in {complaint}");
    }
    assert!(!complaint.contains("hidden"), "{complaint}");

    let complaint = refused_settings("proxy.url = \"http://bouncer:hidden@proxy\"\n");
    assert!(complaint.contains("`proxy.url` names no port"), "{complaint}");
    assert!(!complaint.contains("hidden"), "{complaint}");

    let complaint = refused_settings("proxy.url_file = \"/nonexistent/proxy-url\"\n");
    let expected = "cannot read `proxy.url_file` (`/nonexistent/proxy-url`)";
    assert!(complaint.contains(expected), "{complaint}");
}

#[test]
fn a_secret_that_is_none_is_named_with_what_makes_one() {
    let directory = TempDir::new().unwrap();
    let secret = directory.path().join("other.key");
    let file = directory.path().join("push-bouncer.toml");
    fs::write(&file, SETTINGS.replace("secret.key", secret.to_str().unwrap())).unwrap();
    let complaint = refused(&file);
    assert!(complaint.contains("cannot read `secret_key_file`"), "{complaint}");
    fs::write(&secret, "too short").unwrap();
    let complaint = refused(&file);
    assert!(complaint.contains("`openssl rand -base64 32`"), "{complaint}");
    assert!(!complaint.contains("too short"), "{complaint}");
}

#[test]
fn a_database_of_an_unknown_kind_is_refused() {
    let complaint = refused_settings("database.url = \"mysql://user:secret@host/x\"\n");
    let expected = "`database.url` must begin with `sqlite:` or `postgres:`";
    assert!(complaint.contains(expected), "{complaint}");
    assert!(!complaint.contains("secret"), "{complaint}");
}

#[test]
fn a_program_is_told_of_wrong_usage_in_its_own_way() {
    for arguments in [
        &["server", "set-plan", "--json"][..],
        &["server", "set-plan", "x", "gold", "--users", "0", "--json"],
        &["server", "set-plan", "x", "gold", "--ends", "soon", "--json"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
        assert_eq!(told["error"]["code"], "usage");
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn the_sandbox_shows_a_person_what_arrived() {
    let output = run(&["sandbox", "--once"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", stderr(&output));
    let in_clear = ["message", "remove", "test"].as_slice();
    let encrypted = ["message", "remove"].as_slice();
    for (phone, events) in [
        ("iPhone", in_clear),
        ("Android phone", in_clear),
        ("new iPhone", encrypted),
        ("new Android", encrypted),
    ] {
        for event in events {
            let shown = |line: &str| {
                let mut words = line.trim().strip_prefix(phone).unwrap_or_default().split(' ');
                words.find(|word| !word.is_empty()) == Some(*event)
            };
            assert!(text.lines().any(shown), "{event} on the {phone} in:\n{text}");
        }
    }
    assert!(text.contains("Everything arrived."), "{text}");
    assert!(!text.contains("FAILED"), "{text}");
    assert_eq!(stderr(&output), "", "nothing is complained about");
}

#[test]
fn the_sandbox_tells_a_program_the_same_as_one_value() {
    let output = run(&["sandbox", "--once", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
    assert_eq!(report["ok"], true);
    let steps = report["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["ok"] == true && step["status"] == 200), "{report:#}");
    let mut received: Vec<_> = steps
        .iter()
        .flat_map(|step| step["received"].as_array().unwrap())
        .map(|received| (received["phone"].as_str().unwrap(), received["event"].as_str().unwrap()))
        .collect();
    received.sort_unstable();
    let expected = [
        ("Android phone", "message"),
        ("Android phone", "remove"),
        ("Android phone", "test"),
        ("iPhone", "message"),
        ("iPhone", "remove"),
        ("iPhone", "test"),
        ("new Android", "message"),
        ("new Android", "remove"),
        ("new iPhone", "message"),
        ("new iPhone", "remove"),
    ];
    assert_eq!(received, expected);
}

#[test]
fn what_is_encrypted_in_the_sandbox_only_the_phone_reads() {
    let output = run(&["sandbox", "--once", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
    let steps = report["steps"].as_array().unwrap();
    let received = steps.iter().flat_map(|step| step["received"].as_array().unwrap());
    let encrypted: Vec<_> =
        received.filter(|received| received["decrypted"]["type"] == "message").collect();
    assert_eq!(encrypted.len(), 2, "{report:#}");
    for received in encrypted {
        let content = received["decrypted"]["content"].as_str().unwrap();
        assert!(received["text"].as_str().unwrap().contains(content), "{received:#}");
        assert!(!received["payload"].to_string().contains(content), "{received:#}");
    }
}

#[test]
fn help_and_version_are_on_standard_output() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for part in ["serve", "Run the service", "sandbox", "Try everything at once", "--version"] {
        assert!(stdout(&help).contains(part), "{part} in {}", stdout(&help));
    }
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), format!("push-bouncer {}\n", env!("CARGO_PKG_VERSION")));
    assert!(stdout(&run(&["serve", "--help"])).contains("--config <FILE>"));
}

#[test]
fn a_command_that_is_none_is_refused_with_a_hint() {
    for arguments in [&["sevre"][..], &[], &["serve", "--confg", "x"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("Usage: push-bouncer"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

/// What `serve` says of [`SETTINGS`] with these lines after them.
fn refused_settings(more: &str) -> String {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("push-bouncer.toml");
    let secret = directory.path().join("secret.key");
    fs::write(&secret, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").unwrap();
    let settings = SETTINGS.replace("secret.key", secret.to_str().unwrap());
    fs::write(&file, format!("{settings}{more}")).unwrap();
    refused(&file)
}

fn refused(file: &Path) -> String {
    let output = run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(CONFIGURATION), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    stderr(&output)
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().expect("the program starts")
}

/// The program with these arguments, and nothing that concerns it in the environment.
fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_push-bouncer"));
    program.args(arguments).stdin(Stdio::null());
    for variable in ["RUST_LOG", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
        program.env_remove(variable);
    }
    program
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
