//! Looking up one user's devices, in a small and in the full database in turns.

use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, ensure};
use push_bouncer::domain::device::{AppId, DeviceToken, NewDevice};
use push_bouncer::{
    clock::Clock, config::DatabaseConfig, domain::device::Provider, metrics::Metrics,
    registry::Registry,
};

use super::{
    database::Database,
    people::{PHONES_PER_USER, Size, server_uuid},
    report::{Demand, Report, median, quantile},
};

const ROUNDS: u64 = 9;
const PER_ROUND: u64 = 2000;

/// So many of the rounds count.
const QUIET: usize = 5;

/// A database as the program reads it.
pub(crate) struct Reader {
    registry: Registry,
    size: Size,
}

/// Milliseconds of the questions of one round.
struct Round {
    devices: Vec<f64>,
    nothing: Vec<f64>,
}

impl Reader {
    /// Opens it with the default settings.
    pub(crate) async fn open(database: &Database, size: Size) -> anyhow::Result<Self> {
        let config =
            DatabaseConfig { url: Some(database.url.clone()), ..DatabaseConfig::default() };
        let registry =
            Registry::open(&config, Clock::default(), Arc::new(Metrics::default())).await?;
        Ok(Self { registry, size })
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        Ok(self.registry.close().await?)
    }

    /// The rows are as the program writes them: what it stores again is found by its digest, and not doubled.
    pub(crate) async fn check_rows(&self) -> anyhow::Result<()> {
        for turn in 0..20 {
            let person = self.size.draw(turn);
            let server = self.registry.find_server_now(server_uuid(person.server())).await?;
            let server = server.context("the server is there")?;
            for phone in 0..PHONES_PER_USER {
                let is_apple = person.has_apple(phone);
                let provider = if is_apple { Provider::Apns } else { Provider::Fcm };
                let device = NewDevice {
                    provider,
                    token: DeviceToken::parse(provider, &person.token(phone))?,
                    app_id: is_apple.then(|| AppId::parse("org.example.chat")).flatten(),
                    remote_realm_id: None,
                };
                self.registry.add_device(&server, person.user(), device).await?;
            }
            let devices = self.registry.devices_of_now(&server, person.user()).await?;
            ensure!(devices.len() as u64 == PHONES_PER_USER, "a token was stored twice");
        }
        Ok(())
    }

    /// Asks for the devices of users that are far apart, and for nothing besides, past what is in memory.
    async fn round(&self, turns: std::ops::Range<u64>) -> anyhow::Result<Round> {
        let mut round = Round { devices: Vec::new(), nothing: Vec::new() };
        for turn in turns {
            let person = self.size.draw(turn);
            let server = self.registry.find_server(server_uuid(person.server())).await?;
            let server = server.context("the server is there")?;
            let began = Instant::now();
            self.registry.ping().await?;
            round.nothing.push(began.elapsed().as_secs_f64() * 1000.0);
            let began = Instant::now();
            let devices = self.registry.devices_of_now(&server, person.user()).await?;
            round.devices.push(began.elapsed().as_secs_f64() * 1000.0);
            ensure!(devices.len() as u64 == PHONES_PER_USER, "a user has lost a device");
        }
        Ok(round)
    }
}

/// Measures both in turns, so that what else the machine does concerns both.
pub(crate) async fn measure(readers: &[Reader; 2], report: &mut Report) -> anyhow::Result<()> {
    // Statements are prepared, and the machine has woken up.
    for reader in readers {
        reader.round(0..PER_ROUND).await?;
    }
    let mut rounds = Vec::new();
    for number in 1..=ROUNDS {
        let turns = number * PER_ROUND..(number + 1) * PER_ROUND;
        let [small, full] = readers;
        rounds.push([small.round(turns.clone()).await?, full.round(turns).await?]);
    }
    // What the machine does for others shows in the empty questions: the quieter rounds count.
    let noise = |rounds: &[Round; 2]| {
        rounds.iter().map(|round| quantile(&round.nothing, 0.99)).fold(0.0, f64::max)
    };
    rounds.sort_by(|one, other| noise(one).total_cmp(&noise(other)));
    rounds.truncate(QUIET);
    for (index, reader) in readers.iter().enumerate() {
        let devices = reader.size.devices();
        let middle = |share, of: fn(&Round) -> &Vec<f64>| {
            let rounds = rounds.iter().map(|rounds| quantile(of(&rounds[index]), share));
            median(&rounds.collect::<Vec<_>>())
        };
        for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
            let value = middle(share, |round| &round.nothing);
            report.note(&format!("{devices} devices: empty question, {name}"), value, "ms");
        }
        let p50 = middle(0.5, |round| &round.devices);
        report.note(&format!("{devices} devices: look-up, p50"), p50, "ms");
        let p99 = middle(0.99, |round| &round.devices);
        report.judge(&format!("{devices} devices: look-up, p99"), p99, "ms", Demand::Under(3.0));
    }
    let p50 = |round: &Round| quantile(&round.devices, 0.5);
    let growth: Vec<f64> = rounds.iter().map(|[small, full]| p50(full) / p50(small)).collect();
    report.judge("look-up, p50: growth", median(&growth), "times", Demand::Under(1.5));
    Ok(())
}
