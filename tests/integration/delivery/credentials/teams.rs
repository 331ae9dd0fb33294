//! Case 15: several apps of one team, and of several.

use std::{fs, slice};

use push_bouncer::{domain::device::Provider, metrics::CredentialKind, sandbox::apns::AppleKey};

use super::{EXPIRY, REFRESHES, key_file, pushes_to_apple, refused};
use crate::world::{IAGO, Phone, Stage, TOPICS, message, to};

#[tokio::test(flavor = "multi_thread")]
async fn case_15_apps_of_one_key_share_its_tokens_and_no_connection() {
    let stage = Stage::set_calmly("").await;
    let config = with_second_app(&stage, &key_file(&stage), "SANDBOXKEY", "SANDBOXTEA");
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("first")).await;
    server.register_phone(IAGO, &Phone { app_id: TOPICS[1], ..Phone::apple("second") }).await;

    server.notify(&to(IAGO, message())).await;

    assert_eq!(pushes_to_apple(&world).await, (2.0, 0.0));
    assert_eq!(world.surroundings.apns.counters().connections, 2);
    let made = world.metric(REFRESHES, &["kind=\"apns_jwt\"", "result=\"ok\""]).await;
    assert!((made - 1.0).abs() < 0.1, "one token for both");
    let credentials = world.credentials();
    let known: Vec<_> = credentials.iter().map(|known| (&*known.app.name, known.kind)).collect();
    let (jwt, token) = (CredentialKind::ApnsJwt, CredentialKind::FcmToken);
    assert_eq!(known, [("other", jwt), ("sandbox", jwt), ("sandbox", token)]);
    for credential in &credentials {
        let is_apple = credential.app.provider == Provider::Apns;
        assert_eq!(
            (credential.ends_at.is_some(), credential.last_success.is_some()),
            (is_apple, is_apple)
        );
    }
    let end = credentials[0].ends_at.unwrap();
    let age = end.unix_seconds() - world.clock.now().unix_seconds();
    assert!((30 * 60..60 * 60).contains(&age), "{age}");
    for app in ["name=\"other\"", "name=\"sandbox\""] {
        let told = world.metric(EXPIRY, &["kind=\"apns_jwt\"", app]).await;
        #[expect(clippy::cast_precision_loss, reason = "2^53 seconds are long")]
        let end = end.unix_seconds() as f64;
        assert!((told - end).abs() < 0.5, "{told}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_15_apps_of_two_teams_do_not_meet_on_a_connection() {
    let stage = Stage::set_calmly("").await;
    let first = AppleKey::generate("SANDBOXTEA", "SANDBOXKEY").unwrap();
    let second = AppleKey::generate("OTHERTEAM1", "OTHERKEY12").unwrap();
    fs::write(key_file(&stage), first.private_key_pem()).unwrap();
    let file = key_file(&stage).with_file_name("other.p8");
    fs::write(&file, second.private_key_pem()).unwrap();
    stage.surroundings.apns.replace_keys(&[first, second]);
    let config = with_second_app(&stage, &file, "OTHERKEY12", "OTHERTEAM1");
    let world = stage.serve(&config).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    let other = Phone { app_id: TOPICS[1], ..Phone::apple("second") };
    for phone in [Phone::apple("first"), other] {
        server.register_phone(IAGO, &phone).await;
    }
    for number in 0..5 {
        let mut notification = to(IAGO, message());
        notification["apns_payload"]["badge"] = number.into();
        server.notify(&notification).await;
    }
    assert_eq!(pushes_to_apple(&world).await, (10.0, 0.0));
    assert_eq!(refused(&world, "InvalidProviderToken"), 0);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_of_one_key_change_it_together() {
    let stage = Stage::set_calmly("").await;
    let config = with_second_app(&stage, &key_file(&stage), "SANDBOXKEY", "SANDBOXTEA");
    let world = stage.serve(&config).await;
    let key = super::apple_key("SANDBOXKEY");
    super::give(&world, &key);
    world.surroundings.apns.replace_keys(slice::from_ref(&key));
    assert_eq!(world.reload(None).await.renewed, ["apns.other", "apns.sandbox"]);
    let server = world.chat_server("chat.selfhosted.test").await;
    server.register_phone(IAGO, &Phone::apple("first")).await;
    server.register_phone(IAGO, &Phone { app_id: TOPICS[1], ..Phone::apple("second") }).await;
    server.notify(&to(IAGO, message())).await;
    assert_eq!(pushes_to_apple(&world).await, (2.0, 0.0));
    let made = world.metric(REFRESHES, &["kind=\"apns_jwt\"", "result=\"ok\""]).await;
    assert!((made - 1.0).abs() < 0.1, "one token for both");
    world.shutdown().await;
}

/// The stage's configuration, with the second topic in an app of its own.
fn with_second_app(stage: &Stage, file: &std::path::Path, key_id: &str, team_id: &str) -> String {
    let config = stage.surroundings.config();
    let topics = format!("{TOPICS:?}");
    assert!(config.contains(&topics));
    format!(
        "{}\n[apns.other]\ntopics = [\"{}\"]\nenvironment = \"production\"\nkey_file = {file:?}\n\
         key_id = \"{key_id}\"\nteam_id = \"{team_id}\"\nendpoint = \"https://{}\"\n",
        config.replace(&topics, &format!("[\"{}\"]", TOPICS[0])),
        TOPICS[1],
        stage.surroundings.apns.address()
    )
}
