//! `push-bouncer import`: another bouncer's servers and devices are ours from then on.
//!
//! The other bouncer has PostgreSQL; where the tests have none, there is nothing to import from.

use std::os::unix::fs::PermissionsExt as _;

use entities::{
    devices, e2ee_devices, import_rows, installation_counts, push_counts, realm_counts,
    remote_realms, remote_servers,
};
use sea_orm::{EntityTrait as _, PaginatorTrait as _, QueryOrder as _};
use serde_json::json;

use crate::world::{IAGO, Phone, Printed, Stage, message, to};
use source::{OLD, Source, stages};

mod following;
mod source;
mod stopped;

const REALM: &str = "b0000001-0000-4000-8000-000000000001";

/// Everything that an import stores, but for our own keys.
async fn stored(stage: &Stage) -> String {
    let database = stage.database().await;
    let servers = remote_servers::Entity::find().order_by_asc(remote_servers::Column::Uuid);
    let realms = remote_realms::Entity::find().order_by_asc(remote_realms::Column::Uuid);
    let rows = devices::Entity::find()
        .order_by_asc(devices::Column::UserId)
        .order_by_asc(devices::Column::TokenDigest);
    let mut rows = rows.all(&database).await.unwrap();
    rows.iter_mut().for_each(|row| row.id = 0);
    let e2ee = e2ee_devices::Entity::find().order_by_asc(e2ee_devices::Column::Id);
    let mut seen = import_rows::Entity::find()
        .order_by_asc(import_rows::Column::SourceTable)
        .order_by_asc(import_rows::Column::SourceId)
        .all(&database)
        .await
        .unwrap();
    seen.iter_mut().for_each(|row| row.target_id = row.target_id.map(|_| 0));
    format!(
        "{:#?}\n{:#?}\n{rows:#?}\n{:#?}\n{seen:#?}",
        servers.all(&database).await.unwrap(),
        realms.all(&database).await.unwrap(),
        e2ee.all(&database).await.unwrap(),
    )
}

#[track_caller]
fn assert_done(printed: &Printed) {
    assert_eq!(printed.code, 0, "{printed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_every_kind_are_taken_and_every_fault_is_told() {
    for stage in stages().await {
        let config = stage.surroundings.config().to_owned();
        let server = stage.chat_server_of(([127, 0, 0, 1], 1).into(), "chat.selfhosted.test");
        let source = Source::with_rows(&server).await;
        let printed = source.import(&stage, &["--skip-unknown-apps"]).await;
        assert_done(&printed);
        let tables = &printed.json()["tables"];
        let numbers = |table: &str| {
            ["total", "new", "newer_here", "not_taken"]
                .map(|word| tables[table][word].as_u64().unwrap())
        };
        assert_eq!(numbers("servers"), [6, 4, 0, 2], "{tables:#}");
        assert_eq!(numbers("realms"), [2, 1, 0, 1]);
        assert_eq!(numbers("devices"), [11, 4, 0, 7]);
        assert_eq!(numbers("encrypted devices"), [6, 3, 0, 3]);

        let mut report = source.report();
        report.sort();
        let expected = [
            "devices,103,\"without user id or uuid\",\"\"",
            "devices,104,\"iOS without ios_app_id\",\"\"",
            "devices,105,\"ios_app_id not in [apns.*]\",\"com.example.old\"",
            "devices,106,\"invalid token\",\"\"",
            "devices,107,\"unknown push service\",\"\"",
            "devices,108,\"server not taken\",\"\"",
            "devices,111,\"invalid ios_app_id\",\"\"",
            "encrypted devices,203,\"realm of the source itself\",\"\"",
            "encrypted devices,204,\"realm not taken\",\"\"",
            "encrypted devices,205,\"without token_id or push_account_id\",\"\"",
            "realms,12,\"server not taken\",\"b0000002-0000-4000-8000-000000000002\"",
            "servers,2,\"invalid host name\",\"a0000002-0000-4000-8000-000000000002\"",
            "servers,3,\"no key\",\"a0000003-0000-4000-8000-000000000003\"",
            "servers,4,\"duplicate host name: taken as deactivated\",\"twice.example.com a0000004-0000-4000-8000-000000000004\"",
            "table,id,reason,detail",
        ];
        assert_eq!(report, expected);
        let mode = std::fs::metadata(source.report_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let database = stage.database().await;
        let servers = remote_servers::Entity::find().order_by_asc(remote_servers::Column::Id);
        let servers = servers.all(&database).await.unwrap();
        let told: Vec<_> = servers
            .iter()
            .map(|row| {
                (row.hostname.as_str(), row.deactivated, row.plan_name.as_deref(), row.plan_status)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("chat.selfhosted.test", false, Some("community"), Some(1)),
                ("twice.example.com", true, None, None),
                ("twice.example.com", false, Some("business"), Some(2)),
                ("old.example.com", true, None, None),
            ]
        );
        let first = &servers[0];
        assert_eq!((first.created_at, first.user_count), (1_735_689_600_000, 7));
        assert_eq!((first.approved, first.api_feature_level), (true, Some(400)));
        let realm = remote_realms::Entity::find().one(&database).await.unwrap().unwrap();
        assert_eq!((realm.realm_id, realm.user_count, &*realm.name), (2, 7, "Realm"));
        assert_eq!(installation_counts::Entity::find().count(&database).await.unwrap(), 1);
        assert_eq!(realm_counts::Entity::find().count(&database).await.unwrap(), 1);
        let pushes = push_counts::Entity::find().one(&database).await.unwrap().unwrap();
        assert_eq!((pushes.received, pushes.forwarded), (40, 30));
        // Two spellings of a token are one device, registered when the later one was.
        let rows = stage.devices().await;
        let twice = rows.iter().find(|row| row.user_id == Some(9)).unwrap();
        assert_eq!(twice.registered_at, 1_767_312_000_000);

        let before = stored(&stage).await;
        let again = source.import(&stage, &["--skip-unknown-apps"]).await;
        assert_done(&again);
        assert_eq!(stored(&stage).await, before, "a second run changes nothing");
        assert_eq!(again.json()["tables"]["devices"]["new"], 0);
        let verified = source.verify(&stage).await;
        assert_eq!((verified.code, &verified.json()["different"]), (0, &json!(0)), "{verified:?}");

        let world = stage.serve(&config).await;
        let server = world.same_chat_server(&server);
        let (iphone, android) = (Phone::apple("iphone"), Phone::android("android"));
        let mut body = to(IAGO, message());
        body["android_devices"] = json!(["android", "nobody-knows-it"]);
        let answer = server.notify(&body).await;
        assert_eq!(answer["total_android_devices"], 1, "{answer}");
        assert_eq!(answer["total_apple_devices"], 1);
        let nobody = json!({"android_devices": [], "apple_devices": []});
        assert_eq!(answer["deleted_devices"], nobody, "what nobody knows is not named");
        let mut tokens: Vec<_> = world.pushes().into_iter().map(|push| push.token).collect();
        tokens.sort();
        assert_eq!(tokens, [iphone.token.clone(), android.token]);
        let pushes = [iphone.push("AA=="), Phone::android("of-zulip-11").push_of_11(206, "AA==")];
        for (push, sent) in pushes.into_iter().zip(["apple", "android"]) {
            let answer = server.notify_encrypted(REALM, &[push]).await;
            assert_eq!(answer[format!("{sent}_successfully_sent_count")], 1, "{answer}");
        }
        world.shutdown().await;
        source.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_the_same_and_writes_nothing() {
    let stage = Stage::set("").await;
    let server = stage.chat_server_of(([127, 0, 0, 1], 1).into(), "chat.selfhosted.test");
    let source = Source::with_rows(&server).await;
    // It makes the schema of a new database, and nothing else.
    stage.done(&["db", "migrate"]).await;
    let before = stored(&stage).await;
    let dry = source.import(&stage, &["--dry-run"]).await;
    assert_done(&dry);
    assert_eq!(stored(&stage).await, before);
    let report = source.report();
    assert_eq!(dry.json()["unknown_apps"], json!([["com.example.old", 1], ["no bundle id", 1]]));

    let refused = source.import(&stage, &[]).await;
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (4, &json!("refused")));
    assert_eq!(stored(&stage).await, before, "apps that nobody knows are asked for first");
    let done = source.import(&stage, &["--skip-unknown-apps"]).await;
    assert_done(&done);
    assert_eq!(done.json()["tables"], dry.json()["tables"]);
    assert_eq!(source.report(), report);
    stage.drop_database().await;
    source.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_bouncer_is_taken_for_what_it_has() {
    let source = Source::create(OLD).await;
    let stage = Stage::set("").await;
    let printed = source.import(&stage, &[]).await;
    assert_done(&printed);
    assert_eq!(printed.json()["tables"]["servers"]["new"], 1);
    let rows = stage.devices().await;
    assert_eq!(rows.iter().map(|row| row.user_id).collect::<Vec<_>>(), [Some(7)]);
    stage.drop_database().await;
    source.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_the_source_does_not_stop_it() {
    let stage = Stage::set("").await;
    let server = stage.chat_server_of(([127, 0, 0, 1], 1).into(), "chat.selfhosted.test");
    let source = Source::with_rows(&server).await;
    for (table, columns) in [
        (
            "zilencer_remotezulipserver",
            &["uuid", "api_key", "hostname", "contact_email", "last_version", "plan_type"][..],
        ),
        ("zilencer_remoterealm", &["uuid", "authentication_methods", "org_type"]),
        ("zilencer_remotepushdevicetoken", &["user_id", "user_uuid", "kind", "token"]),
        ("zilencer_remotepushdevice", &["token", "token_kind", "token_id"]),
        ("zilencer_remoteinstallationcount", &["value", "property", "remote_id"]),
    ] {
        for column in columns {
            source
                .execute(&format!(
                    "ALTER TABLE {table} ALTER {column} DROP DEFAULT, ALTER {column} TYPE text, ALTER {column} DROP NOT NULL"
                ))
                .await;
        }
    }
    source
        .execute(
            "INSERT INTO zilencer_remotezulipserver (id, uuid, api_key, hostname, contact_email, last_updated)
             VALUES (20, 'no uuid', 'k', 'a.example.com', 'a@b.test', 'infinity'), (21, NULL, NULL, NULL, 'x', now()),
                    (22, 'c0000001-0000-4000-8000-000000000001', repeat('k', 3000000), 'b.example.com', 'a@b.test', now()),
                    (23, 'c0000002-0000-4000-8000-000000000002', 'k', repeat('h', 3000000), 'a@b.test', now()),
                    (24, 'c0000003-0000-4000-8000-000000000003', 'k', 'c.example.com', repeat('ö', 300), now()),
                    (25, 'c0000004-0000-4000-8000-000000000004', 'k', 'd.example.com', 'a@b.test', '-infinity');
             UPDATE zilencer_remotezulipserver SET plan_type = 'nothing', last_version = repeat('v', 999) WHERE id = 25;
             INSERT INTO zilencer_remoterealm (id, server_id, uuid, uuid_owner_secret, host, authentication_methods, realm_date_created, last_updated)
             VALUES (30, 1, 'd0000001-0000-4000-8000-000000000001', '', repeat('h', 999), '[1', '-infinity', 'infinity');
             INSERT INTO zilencer_remotepushdevicetoken (id, server_id, user_id, user_uuid, kind, token, last_updated)
             VALUES (-9223372036854775807, 1, 'many', 'x', '2', 'token', now()), (40, 1, '5', NULL, 'two', 'token', now()),
                    (41, 1, '5', NULL, '2', repeat('t', 3000000), now()), (42, 1, '99999999999999999999', NULL, '2', 'x', now()),
                    (43, 1, '5', NULL, '2', NULL, now()), (44, 1, '5', NULL, '2', 'taken', '9999-12-31'),
                    (9223372036854775807, 1, '6', NULL, '2', 'taken too', 'infinity');
             INSERT INTO zilencer_remotepushdevice (device_id, remote_realm_id, token, token_kind, token_id)
             VALUES (50, 11, 'x', 'web', '5'), (51, 11, 'x', 'fcm', 'no number'), (52, 11, NULL, 'fcm', '9');
             INSERT INTO zilencer_remoteinstallationcount (server_id, remote_id, property, end_time, value)
             VALUES (1, 'x', 'y', 'infinity', 'z'), (1, NULL, 'mobile_pushes_received::day', now(), '-5')",
        )
        .await;

    let printed = source.import(&stage, &["--skip-unknown-apps"]).await;

    assert_done(&printed);
    let report = source.report();
    assert!(report.iter().all(|line| line.len() < 500), "{report:#?}");
    for line in [
        "servers,20,\"invalid uuid\"",
        "servers,21,\"invalid uuid\"",
        "servers,22,\"too long\"",
        "servers,23,\"too long\"",
        "servers,24,\"too long\"",
        "devices,-9223372036854775807,\"without user id or uuid\"",
        "devices,40,\"unknown push service\"",
        "devices,41,\"invalid token\"",
        "devices,42,\"without user id or uuid\"",
        "devices,43,\"invalid token\"",
        "encrypted devices,50,\"unknown push service\"",
        "encrypted devices,51,\"without token_id or push_account_id\"",
        "encrypted devices,52,\"invalid token\"",
    ] {
        assert!(report.iter().any(|told| told.starts_with(line)), "{line} in {report:#?}");
    }
    let numbers = &printed.json()["tables"];
    assert_eq!(numbers["servers"]["new"], 5, "{numbers:#}");
    assert_eq!(numbers["realms"]["new"], 2);
    assert_eq!(numbers["devices"]["new"], 6);
    let now = stage.clock.now().unix_millis();
    assert!(stage.devices().await.iter().all(|row| row.registered_at <= now), "no clock is ahead");
    let verified = source.verify(&stage).await;
    assert_eq!(verified.code, 0, "{verified:?}");
    stage.drop_database().await;
    source.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_the_row_that_is_different_here() {
    let stage = Stage::set("").await;
    let server = stage.chat_server_of(([127, 0, 0, 1], 1).into(), "chat.selfhosted.test");
    let source = Source::with_rows(&server).await;
    assert_done(&source.import(&stage, &["--skip-unknown-apps"]).await);
    assert_eq!(source.verify(&stage).await.code, 0);
    let different = async |statement: &str| {
        source.execute(statement).await;
        let verified = source.verify(&stage).await;
        assert_eq!(verified.code, 1, "{verified:?}");
        verified.json()["differences"].clone()
    };
    let app =
        "UPDATE zilencer_remotepushdevicetoken SET ios_app_id = 'org.zulip.Other' WHERE id = 101";
    assert_eq!(
        different(app).await,
        json!([{"table": "devices", "id": 101, "what": "different here"}])
    );
    let refused = source.import(&stage, &["--skip-unknown-apps", "--final"]).await;
    assert_eq!(refused.code, 4, "it does not finish: {refused:?}");
    source
        .execute("UPDATE zilencer_remotepushdevicetoken SET ios_app_id = 'org.zulip.Zulip' WHERE id = 101")
        .await;
    let key = "UPDATE zilencer_remotezulipserver SET api_key = 'another' WHERE id = 5";
    assert_eq!(
        different(key).await,
        json!([{"table": "servers", "id": 5, "what": "different here"}])
    );
    stage.drop_database().await;
    source.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_none_is_named_and_its_password_is_not() {
    let stage = Stage::set("").await;
    for (url, code) in
        [("mysql://u:secretword@h/x", 2), ("postgres://u:secretword@127.0.0.1:1/x", 69)]
    {
        let printed = stage.command(&["import", "verify", "--source", url]).await;
        assert_eq!(printed.code, code, "{printed:?}");
        assert!(!printed.complaint.contains("secretword"), "{printed:?}");
    }
    let source = Source::create("").await;
    let printed = source.verify(&stage).await;
    assert_eq!(printed.code, 3, "{printed:?}");
    source.remove().await;
    stage.drop_database().await;
}
