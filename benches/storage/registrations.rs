//! Registering phones over HTTPS.

use std::ops::Range;

use bytes::Bytes;
use push_bouncer::domain::user::User;

use super::{
    database::Database,
    people::{PHONES_PER_USER, Person, Size, realm_uuid},
    report::{Demand, Report, median, progress},
    shared::Call,
    site::{Site, authorization},
    wal,
};

const ROUNDS: u64 = 7;
const PER_ROUND: u64 = 5000;

/// Registrations whose share of PostgreSQL's log is looked at.
const LOGGED: u64 = 1000;

pub(crate) async fn measure(
    database: &Database,
    size: Size,
    report: &mut Report,
) -> anyhow::Result<()> {
    let site = Site::start(database).await?;
    // Connections to the database and caches are there before anything is measured.
    round(&site, size, 0..PER_ROUND).await?;
    let mut rates = Vec::new();
    let (bouncer, postgres) = (site.cpu()?, database.cpu_of_program().await?);
    for number in 1..=ROUNDS {
        let seconds = round(&site, size, number * PER_ROUND..(number + 1) * PER_ROUND).await?;
        #[expect(clippy::cast_precision_loss, reason = "there are a few thousand")]
        rates.push(PER_ROUND as f64 / seconds);
    }
    #[expect(clippy::cast_precision_loss, reason = "there are a few thousand")]
    let micros = |seconds: f64| seconds * 1e6 / (ROUNDS * PER_ROUND) as f64;
    report.note("registration: CPU of the program", micros(site.cpu()? - bouncer), "us");
    if let (Some(before), Some(after)) = (postgres, database.cpu_of_program().await?) {
        report.note(
            "registration: CPU of PostgreSQL's processes for it",
            micros(after - before),
            "us",
        );
    }
    progress(&format!("registrations a second, round by round: {rates:.0?}"));
    report.judge("registrations over HTTPS", median(&rates), "a second", Demand::AtLeast(1500.0));
    // The server keeps little of its log: a few registrations, looked at at once.
    let (first, before) = ((ROUNDS + 1) * PER_ROUND, wal::position(database).await?);
    round(&site, size, first..first + LOGGED).await?;
    site.end().await?;
    let after = wal::position(database).await?;
    wal::measure(database, [before, after], LOGGED, report).await
}

/// Registers a new phone for each of these users; how many seconds that took.
async fn round(site: &Site, size: Size, turns: Range<u64>) -> anyhow::Result<f64> {
    let call = move |turn| registration(size.draw(turn), PHONES_PER_USER + turn / size.users());
    site.load(turns, call).await
}

/// As a server of 10.x registers a phone.
fn registration(person: Person, phone: u64) -> Call {
    let (token, server) = (person.token(phone), person.server());
    let mut form = form_urlencoded::Serializer::new(String::new());
    match person.user() {
        User::Id(id) => form.append_pair("user_id", &id.to_string()),
        User::Both { id, uuid } => form
            .append_pair("user_id", &id.to_string())
            .append_pair("user_uuid", &uuid.to_string())
            .append_pair("realm_uuid", &realm_uuid(server).to_string()),
        User::Uuid(uuid) => form.append_pair("user_uuid", &uuid.to_string()),
    };
    form.append_pair("token", &token);
    if person.has_apple(phone) {
        form.append_pair("token_kind", "1").append_pair("ios_app_id", "org.example.chat");
    } else {
        form.append_pair("token_kind", "2");
    }
    Call {
        path: "push/register",
        content_type: "application/x-www-form-urlencoded",
        authorization: authorization(server),
        body: Bytes::from(form.finish()),
    }
}
