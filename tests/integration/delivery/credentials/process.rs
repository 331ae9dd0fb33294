//! The real program, told by SIGHUP to read its files again.

use std::fs;

use super::{apple_key, key_file};
use crate::world::{IAGO, Phone, Program, Registered, Stage, message, to, until};

#[tokio::test(flavor = "multi_thread")]
async fn sighup_takes_good_files_and_says_what_is_wrong_with_bad_ones() {
    let stage = Stage::set("").await;
    let keys = ["SANDBOXKEY", "SECONDKEY2"].map(apple_key);
    super::give(&stage, &keys[0]);
    stage.surroundings.apns.replace_keys(&keys);
    let program = Program::start(&stage).await;
    let server = stage.chat_server_of(program.address, "chat.selfhosted.test");
    assert_eq!(server.register().await, Registered::Created);
    server.register_phone(IAGO, &Phone::apple("iphone")).await;

    // A file that is no key, and a setting that needs a restart.
    let config = stage.surroundings.config().to_owned();
    let file = stage.surroundings.config_file();
    fs::write(key_file(&stage), "-----BEGIN PUBLIC KEY-----").unwrap();
    fs::write(&file, format!("{config}limits.ip.rate = \"9/min\"\n")).unwrap();
    program.hang_up();
    let told = reload(&program, 1).await;
    assert_eq!(told["failed"], "[\"apns.sandbox\"]");
    assert_eq!(told["restart"], "[\"limits\"]");
    let errors = program.log_about("credential.reload_failed");
    assert_eq!((errors.len(), &errors[0]["level"]), (1, &"ERROR".into()), "{errors:?}");
    let error = errors[0]["error"].as_str().unwrap();
    assert!(error.contains("SANDBOXKEY.p8`: is a public key"), "{error}");

    // A configuration that is none.
    fs::write(&file, "public_url = 5").unwrap();
    program.hang_up();
    reload(&program, 2).await;
    assert_eq!(program.log_about("config.reload_failed").len(), 1);

    // All is well again, with another key.
    fs::write(key_file(&stage), keys[1].private_key_pem()).unwrap();
    fs::write(&file, config.replace("\"SANDBOXKEY\"", "\"SECONDKEY2\"")).unwrap();
    program.hang_up();
    let told = reload(&program, 3).await;
    let lines =
        (program.log_about("credential.reloaded"), program.log_about("credential.reload_failed"));
    assert!(!lines.0.is_empty(), "{told:?} {lines:?}");
    assert_eq!((&told["failed"], &told["restart"]), (&"[]".into(), &"[]".into()));
    stage.surroundings.apns.replace_keys(&keys[1..]);
    server.notify(&to(IAGO, message())).await;
    assert_eq!(stage.surroundings.apns.counters().accepted, 1);

    program.terminate();
    assert!(program.end().await.success());
    stage.drop_database().await;
}

/// What the log says of the reload of this number.
async fn reload(program: &Program, number: usize) -> serde_json::Value {
    until("the files are read again", async || {
        program.log_about("config.reloaded").get(number - 1).cloned()
    })
    .await
}
