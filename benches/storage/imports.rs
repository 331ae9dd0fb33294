//! Importing from the database of a reference bouncer.

use std::{process::Stdio, time::Instant};

use anyhow::ensure;
use push_bouncer::{
    clock::Clock,
    sandbox::surroundings::{Surroundings, SurroundingsOptions},
};
use tokio::process::Command;

use super::{
    database::Database,
    people::Size,
    report::{Demand, Report, progress},
    rows,
};

/// The tables of a reference bouncer, as the tests have them.
const ZULIP: &str = include_str!("../../tests/import/zulip.sql");

/// So many devices are imported.
const DEVICES: u64 = 1_000_000;

/// Imports a million devices, or as many as the full database has, from `source` into `target`, both empty.
pub(crate) async fn measure(
    source: &Database,
    target: &Database,
    size: Size,
    report: &mut Report,
) -> anyhow::Result<()> {
    let size = Size::of_devices(size.devices().min(DEVICES));
    fill(source, size).await?;
    let options = SurroundingsOptions {
        database_url: Some(target.url.clone()),
        log_capacity: 0,
        ..SurroundingsOptions::default()
    };
    let surroundings = Surroundings::start(options, Clock::default()).await?;
    let file = surroundings.config_file();
    let importing = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
        .args(["import", "zulip", "--json", "--source", &source.url, "--report"])
        .arg(file.with_file_name("import.csv"))
        .arg("--config")
        .arg(&file)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let began = Instant::now();
    let printed = importing.wait_with_output().await?;
    let seconds = began.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&printed.stdout);
    ensure!(printed.status.success(), "the import failed: {text}");
    let taken = target.number("SELECT count(*) FROM devices").await?;
    ensure!(taken == size.devices().cast_signed(), "{taken} devices were taken: {text}");
    report.judge(&format!("importing {taken} devices"), seconds, "s", Demand::Under(120.0));
    Ok(())
}

async fn fill(source: &Database, size: Size) -> anyhow::Result<()> {
    source.execute(ZULIP).await?;
    let all = format!("generate_series(0, {} - 1) AS server", size.servers);
    let (server, realm) = (rows::server(), rows::realm());
    source
        .execute(&format!(
            "INSERT INTO zilencer_remotezulipserver (id, uuid, api_key, hostname, contact_email, last_updated, \
             last_request_datetime, last_version, last_api_feature_level) \
             SELECT {server}, now(), now(), '10.4', 379 FROM {all}; \
             INSERT INTO zilencer_remoterealm (id, server_id, uuid, uuid_owner_secret, host, name, \
             realm_date_created, last_updated) \
             SELECT server + 1, server + 1, {realm}, 'secret', 'chat' || server || '.example.org', \
             'Example ' || server, now(), now() FROM {all}; \
             INSERT INTO zilencer_remotepushdevicetoken (server_id, user_id, user_uuid, kind, token, ios_app_id, \
             remote_realm_id, last_updated) \
             SELECT {}, token, {}, now() {}; \
             ANALYZE",
            rows::IDENTITY,
            rows::APP_AND_REALM,
            rows::drawn(size, 0, size.devices()),
        ))
        .await?;
    progress(&format!("{} devices are to be imported", size.devices()));
    Ok(())
}
