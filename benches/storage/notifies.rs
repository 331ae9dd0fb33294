//! Notifies: what they cost on the full database, and that a node's memory does not depend on the number of devices.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;
use push_bouncer::domain::user::User;
use serde_json::json;
use tokio::time::sleep;

use super::{
    database::Database,
    people::{PHONES_PER_USER, Person, Size, USERS_OF_ALL, realm_uuid},
    report::{Demand, Report, median, progress},
    shared::Call,
    site::{Site, authorization},
};

const REQUESTS: u64 = 10_000;

/// How often memory is measured on each database.
const ROUNDS: usize = 3;

/// How long pushes may be under way behind the answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whom notifies are for.
#[derive(Clone, Copy)]
enum Crowd {
    /// All users, far apart: nothing of them is in memory.
    Everybody(Size),
    /// Users of twenty servers, who are in every database.
    Few,
}

impl Crowd {
    fn person(self, turn: u64) -> Person {
        match self {
            Self::Everybody(size) => size.draw(turn),
            Self::Few => Size { servers: USERS_OF_ALL / 100 }.draw(turn),
        }
    }
}

/// Sends the same notifies with both databases in turns, and looks how much memory the program has then.
pub(crate) async fn measure_memory(
    [small, full]: [&Database; 2],
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut memory = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (database, memory) in [small, full].into_iter().zip(&mut memory) {
            let site = Site::start(database).await?;
            let at_rest = site.bouncer.memory()?;
            run(&site, Crowd::Few, 0..REQUESTS).await?;
            let after = site.bouncer.memory()?;
            progress(&format!(
                "resident memory: {at_rest:.1} MB at rest, {after:.1} MB after the load"
            ));
            memory.push(after);
            site.end().await?;
        }
    }
    let [small, full] = memory.map(|rounds| median(&rounds));
    report.note("resident memory after the load, few devices", small, "MB");
    report.note("resident memory after the load, all devices", full, "MB");
    let difference = (full / small - 1.0).abs() * 100.0;
    report.judge("resident memory: difference", difference, "%", Demand::Under(10.0));
    Ok(())
}

/// What notifies cost the program and its database.
pub(crate) async fn measure_cost(
    database: &Database,
    size: Size,
    report: &mut Report,
) -> anyhow::Result<()> {
    for (name, crowd) in [
        ("notify, 20 busy servers", Crowd::Few),
        ("notify, all servers alike", Crowd::Everybody(size)),
    ] {
        let before = database.activity().await?;
        let site = Site::start(database).await?;
        run(&site, crowd, 0..REQUESTS).await?;
        let (bouncer, postgres) = (site.cpu()?, database.cpu_of_program().await?);
        let seconds = run(&site, crowd, REQUESTS..2 * REQUESTS).await?;
        #[expect(clippy::cast_precision_loss, reason = "there are a few thousand")]
        let micros = |seconds: f64| seconds * 1e6 / REQUESTS as f64;
        report.note(&format!("{name}: CPU of the program"), micros(site.cpu()? - bouncer), "us");
        if let (Some(before), Some(after)) = (postgres, database.cpu_of_program().await?) {
            report.note(&format!("{name}: CPU of PostgreSQL"), micros(after - before), "us");
        }
        report.note(&format!("{name}: requests"), 1e6 / micros(seconds), "a second");
        report.note(&format!("{name}: resident memory"), site.bouncer.memory()?, "MB");
        site.end().await?;
        let after = database.activity().await?;
        #[expect(clippy::cast_precision_loss, reason = "there are a few thousand")]
        let each = |after: i64, before: i64| (after - before) as f64 / (2 * REQUESTS) as f64;
        report.note(
            &format!("{name}: transactions"),
            each(after.transactions, before.transactions),
            "each",
        );
        report.note(
            &format!("{name}: index scans"),
            each(after.index_scans, before.index_scans),
            "each",
        );
        report.note(
            &format!("{name}: table scans"),
            each(after.table_scans, before.table_scans),
            "each",
        );
        report.note(
            &format!("{name}: rows written"),
            each(after.rows_written, before.rows_written),
            "each",
        );
    }
    Ok(())
}

/// Sends notifies, and waits until every phone has its push; how many seconds the answers took.
async fn run(site: &Site, crowd: Crowd, turns: Range<u64>) -> anyhow::Result<f64> {
    let wanted = site.accepted() + (turns.end - turns.start) * PHONES_PER_USER;
    let seconds = site.load(turns, move |turn| notify(crowd.person(turn), turn)).await?;
    let began = Instant::now();
    // On a busy machine some are sent again behind the answer.
    while site.accepted() < wanted {
        ensure!(began.elapsed() < PATIENCE, "{} pushes did not arrive", wanted - site.accepted());
        sleep(Duration::from_millis(50)).await;
    }
    Ok(seconds)
}

/// A message as a server of 10.x sends it; each is another one.
fn notify(person: Person, message: u64) -> Call {
    let server = person.server();
    let about = json!({
        "server": format!("chat{server}.example.org"), "realm_id": 2, "realm_name": "Example",
        "realm_url": format!("https://chat{server}.example.org"), "user_id": 7, "sender_id": 5,
        "sender_email": "cordelia@chat.example.org", "time": 1_800_000_000,
        "recipient_type": "stream", "stream": "design", "stream_id": 3, "topic": "colours",
    });
    let content = "Shall we take the green one? It goes well with the grey of the walls.";
    let mut gcm = about.clone();
    gcm["event"] = json!("message");
    gcm["zulip_message_id"] = json!(message);
    gcm["content"] = json!(content);
    gcm["sender_full_name"] = json!("Cordelia");
    let mut custom = about;
    custom["message_ids"] = json!([message]);
    let mut body = json!({
        "gcm_payload": gcm, "gcm_options": {"priority": "high"},
        "apns_payload": {
            "alert": {"title": "#design > colours", "subtitle": "Cordelia:", "body": content},
            "sound": "default", "badge": 0, "custom": {"zulip": custom},
        },
    });
    match person.user() {
        User::Id(id) => body["user_id"] = json!(id),
        User::Both { id, uuid } => {
            body["user_id"] = json!(id);
            body["user_uuid"] = json!(uuid.to_string());
            body["realm_uuid"] = json!(realm_uuid(server).to_string());
        }
        User::Uuid(uuid) => body["user_uuid"] = json!(uuid.to_string()),
    }
    Call {
        path: "push/notify",
        content_type: "application/json",
        authorization: authorization(server),
        body: Bytes::from(body.to_string()),
    }
}
