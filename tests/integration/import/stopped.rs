//! An import that is killed, and goes on.

use std::process::Stdio;

use entities::devices;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use tokio::process::Command;

use super::{
    assert_done,
    source::{Source, ZULIP, stages},
    stored,
};
use crate::world::{Stage, until};

/// Of seven thousand devices those behind the first batch cannot be read while somebody holds a lock. The function
/// is called stable so that who only counts rows does not call it.
const DEVICES: &str = "
    INSERT INTO zilencer_remotezulipserver (id, uuid, api_key, hostname, contact_email, last_updated)
    VALUES (1, 'a0000001-0000-4000-8000-000000000001', 'key', 'a.example.com', 'a@b.test', '2026-01-01');
    INSERT INTO zilencer_remotepushdevicetoken (server_id, user_id, kind, token, last_updated)
    SELECT 1, number % 4000, 2, 'token-' || number, '2026-01-01' FROM generate_series(1, 7000) AS number;
    ALTER TABLE zilencer_remotepushdevicetoken RENAME TO all_devices;
    CREATE FUNCTION held_back(token text) RETURNS text STABLE LANGUAGE sql AS
        $$ SELECT token FROM (SELECT pg_advisory_xact_lock_shared(4711)) AS held $$;
    CREATE VIEW zilencer_remotepushdevicetoken AS
        SELECT id, server_id, user_id, user_uuid, kind, ios_app_id, last_updated, remote_realm_id,
               CASE WHEN id <= 6000 THEN token ELSE zulip.held_back(token) END AS token
        FROM all_devices";

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_ends_as_one_that_was_not() {
    let source = Source::create(ZULIP).await;
    source.execute(DEVICES).await;
    let [undisturbed, on_server] = stages().await;
    assert_done(&source.import(&undisturbed, &[]).await);
    let expected = stored(&undisturbed).await;
    for stage in [on_server, Stage::set_on_file().await] {
        stage.done(&["db", "migrate"]).await;
        let database = stage.database().await;
        let holder = source.hold().await;
        let mut process = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .args(["import", "zulip", "--json", "--source", source.url(), "--report"])
            .arg(source.report_file())
            .arg("--config")
            .arg(stage.surroundings.config_file())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        until("the first batch is stored", async || {
            let rows = devices::Entity::find().count(&database).await.unwrap();
            (rows > 0).then_some(())
        })
        .await;
        process.kill().await.unwrap();
        assert_eq!(stage.devices().await.len(), 5000);
        holder.close().await.unwrap();

        let printed = source.import(&stage, &[]).await;
        assert_done(&printed);
        let numbers = printed.json()["tables"]["devices"].clone();
        assert_eq!((&numbers["same"], &numbers["new"]), (&5000.into(), &2000.into()));
        assert!(stored(&stage).await == expected, "the same rows");
        database.close().await.unwrap();
        stage.drop_database().await;
    }
    undisturbed.drop_database().await;
    source.remove().await;
}
