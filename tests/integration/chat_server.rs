//! A client nobody here wrote, Python's `requests`, used exactly as a chat server uses it.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use tokio::{task::spawn_blocking, time::timeout};

use crate::world::{Kind, LogPosition, World};

/// The interpreter, which must have `requests`; `python3` when it is not set.
const INTERPRETER_VARIABLE: &str = "PUSH_BOUNCER_TEST_PYTHON";

/// Above the sum of what the script's calls may take.
const DONE_WITHIN: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_server_registers_devices_notifies_and_unregisters() {
    let world = World::start("").await;
    let mut command =
        Command::new(std::env::var(INTERPRETER_VARIABLE).unwrap_or_else(|_| "python3".to_owned()));
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/chat_server.py"))
        .arg(format!("https://localhost:{}", world.address().port()))
        .arg(world.authority_file());
    let running = spawn_blocking(move || command.output());
    let output = timeout(DONE_WITHIN, running)
        .await
        .expect("the chat server ends in time")
        .expect("waiting does not panic")
        .expect("the interpreter starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{INTERPRETER_VARIABLE} chooses the interpreter");

    let report: Value = serde_json::from_slice(&output.stdout).expect("it prints one JSON line");
    assert_eq!(
        report,
        json!({
            "registered": ["created", "updated"],
            "devices": 2,
            "notified": {"android": 1, "apple": 1},
            "forgotten": {"android": ["fcm-gone"], "apple": ["deadbeef"]},
            "realm": null,
            "tested": 2,
            "refused": {
                "wrong key": "JsonableError",
                "unknown device": "InvalidRemotePushDeviceTokenError",
                "unregistered twice": "JsonableError",
            },
            "left": {"android": 0, "apple": 0},
        })
    );
    let pushes = world.pushes_since(&mut LogPosition::default());
    let count = |kind| pushes.iter().filter(|push| push.kind == kind).count();
    assert_eq!((count(Kind::Apns), count(Kind::Fcm)), (2, 2), "each got a message and a test");
    world.shutdown().await;
}
