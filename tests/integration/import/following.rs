//! An import that follows what changes at the source.

use std::{process::Stdio, time::Duration};

use entities::{e2ee_devices, remote_servers};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use tokio::{process::Command, time::sleep};

use super::{assert_done, source::Source};
use crate::world::{Phone, Stage, User, until, until_it_counts};

/// Our rows by token: who is there, and of which app.
async fn devices(stage: &Stage) -> Vec<(i64, Option<String>, bool)> {
    let rows = stage.devices().await;
    let mut rows: Vec<_> = rows
        .into_iter()
        .filter_map(|row| Some((row.user_id?, row.ios_app_id, row.gone_at.is_none())))
        .collect();
    rows.sort();
    rows
}

/// The one that most devices are of.
async fn first_server(stage: &Stage) -> remote_servers::Model {
    let query = remote_servers::Entity::find()
        .filter(remote_servers::Column::Hostname.eq("chat.selfhosted.test"));
    query.one(&stage.database().await).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn following_takes_what_comes_changes_and_goes() {
    let stage = Stage::set("").await;
    let server = stage.chat_server_of(([127, 0, 0, 1], 1).into(), "chat.selfhosted.test");
    let source = Source::with_rows(&server).await;
    source
        .execute(
            "INSERT INTO zilencer_remotepushdevicetoken (id, server_id, user_id, kind, token, ios_app_id, last_updated)
             VALUES (301, 1, 301, 2, 'goes', NULL, '2026-01-01'), (302, 1, 302, 1, 'aa302a', 'org.zulip.Zulip', '2026-01-01'),
                    (303, 1, 303, 2, 'comes back', NULL, '2026-01-01')",
        )
        .await;
    assert_done(&source.import(&stage, &["--skip-unknown-apps"]).await);
    let process = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
        .args(["import", "zulip", "--follow", "--skip-unknown-apps", "--source", source.url()])
        .arg("--report")
        .arg(source.report_file())
        .arg("--config")
        .arg(stage.surroundings.config_file())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    source
        .execute(
            "INSERT INTO zilencer_remotepushdevicetoken (id, server_id, user_id, kind, token, ios_app_id, last_updated)
             VALUES (300, 1, 300, 2, 'comes', NULL, now()), (305, 1, 303, 2, 'comes back', NULL, now());
             UPDATE zilencer_remotepushdevicetoken SET ios_app_id = 'org.zulip.Other', last_updated = now() WHERE id = 302;
             DELETE FROM zilencer_remotepushdevicetoken WHERE id IN (301, 303);
             UPDATE zilencer_remotepushdevice SET expired_time = now() WHERE device_id = 201;
             UPDATE zilencer_remotezulipserver SET deactivated = true WHERE id = 1",
        )
        .await;
    let expected = [
        (9, Some("org.zulip.Zulip".to_owned()), true),
        (300, None, true),
        (301, None, false),
        (302, Some("org.zulip.Other".to_owned()), true),
        (303, None, true),
    ];
    until("the changes are here", async || {
        // No more often: each look opens the database.
        sleep(Duration::from_millis(200)).await;
        (devices(&stage).await == expected).then_some(())
    })
    .await;
    let database = stage.database().await;
    assert!(first_server(&stage).await.deactivated);
    let device = e2ee_devices::Entity::find_by_id(201).one(&database).await.unwrap();
    assert!(device.unwrap().expired_at.is_some());
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().await.unwrap().success());
    let output = process.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");

    source
        .execute(
            "INSERT INTO zilencer_remotepushdevicetoken (id, server_id, user_id, kind, token, last_updated)
             VALUES (306, 1, 306, 2, 'last', now())",
        )
        .await;
    assert_eq!(source.verify(&stage).await.code, 1, "one is missing");
    let last = source.import(&stage, &["--skip-unknown-apps", "--final"]).await;
    assert_done(&last);
    assert_eq!(last.json()["verified"]["different"], 0);
    assert_eq!(last.json()["tables"]["devices"]["new"], 1);
    stage.drop_database().await;
    source.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_here_since_is_not_undone() {
    let stage = Stage::set("").await;
    let server = stage.chat_server_of(([127, 0, 0, 1], 1).into(), "chat.selfhosted.test");
    let source = Source::with_rows(&server).await;
    source
        .execute(
            "INSERT INTO zilencer_remotepushdevicetoken (id, server_id, user_id, kind, token, ios_app_id, last_updated)
             VALUES (401, 1, 401, 2, 'logged out here', NULL, '2026-01-01'),
                    (402, 1, 402, 1, '6f74686572', 'org.zulip.Other', '2026-01-01')",
        )
        .await;
    assert_done(&source.import(&stage, &["--skip-unknown-apps"]).await);
    let config = stage.surroundings.config().to_owned();
    let world = stage.serve(&config).await;
    let server = world.same_chat_server(&server);
    let gone = Phone::android("logged out here");
    let answer = server.about_phone("push/unregister", User::number(401), &gone, &[]).await;
    assert_eq!(answer.0, 200, "{answer:?}");
    server.register_phone(User::number(402), &Phone::apple("other")).await;
    server.register_phone(User::number(403), &Phone::android("new here")).await;
    server.register_with(&[("contact_email", "new@selfhosted.test")]).await;
    source.execute("DELETE FROM zilencer_remotepushdevicetoken WHERE id = 402").await;

    let again = source.import(&world, &["--skip-unknown-apps", "--final"]).await;

    assert_done(&again);
    let expected = [
        (9, Some("org.zulip.Zulip".to_owned()), true),
        (402, Some("org.zulip.Zulip".to_owned()), true),
        (403, None, true),
    ];
    let here = devices(&world).await;
    assert_eq!(here.len(), 3, "{here:?}");
    assert_eq!(here[..2], expected[..2]);
    assert_eq!((here[2].0, here[2].2), (403, true));
    assert_eq!(first_server(&world).await.contact_email, "new@selfhosted.test");
    world.shutdown().await;
    source.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_changes_counts_in_a_running_service_within_a_second() {
    let stage = Stage::set("").await;
    let server = stage.chat_server_of(([127, 0, 0, 1], 1).into(), "chat.selfhosted.test");
    let source = Source::with_rows(&server).await;
    assert_done(&source.import(&stage, &["--skip-unknown-apps"]).await);
    let config = stage.surroundings.config().to_owned();
    let world = stage.serve(&config).await;
    let listens =
        async || (world.metric("push_bouncer_db_listening", &[]).await > 0.5).then_some(());
    until("it hears of changes", listens).await;
    let server = world.same_chat_server(&server);
    let status = async || world.client().status_as(&server.org_id, &server.org_key).await.status;
    assert_eq!(status().await, 200);
    // Newer than what the server said here.
    source
        .execute(
            "UPDATE zilencer_remotezulipserver SET deactivated = true, last_updated = now() + interval '3 hours',
                 last_request_datetime = now() + interval '3 hours' WHERE id = 1",
        )
        .await;
    assert_done(&source.import(&world, &["--skip-unknown-apps"]).await);
    until_it_counts("it is refused", async || (status().await == 401).then_some(())).await;
    world.shutdown().await;
    source.remove().await;
}
