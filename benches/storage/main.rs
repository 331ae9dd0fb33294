//! What many devices cost: look-ups, registrations, notifies, imports and memory with ten million of them on PostgreSQL.
//!
//! `cargo bench --bench storage` makes databases of its own on the server that `PUSH_BOUNCER_TEST_DATABASE_URL`
//! names (by default on 127.0.0.1), measures, and removes them, also after a failure. It
//! ends with 1 when a demanded figure is missed, and with 2 when something failed.

mod database;
mod fill;
mod imports;
mod lookups;
mod notifies;
mod people;
mod registrations;
mod report;
mod rows;
#[path = "../shared.rs"]
mod shared;
mod site;
mod sizes;
mod wal;

use std::{panic::AssertUnwindSafe, process::ExitCode};

use anyhow::anyhow;
use clap::Parser;
use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};

use database::Database;
use lookups::Reader;
use people::Size;
use report::{Report, progress};

/// Devices of the small database.
const FEW: u64 = 10_000;

/// Bytes on the disk for each device: the rows, their indexes, and PostgreSQL's log and sorting while they are
/// made.
const DISK_PER_DEVICE: u64 = 1000;

/// Measures the program with many devices on PostgreSQL.
#[derive(Parser)]
struct Arguments {
    /// How many devices the full database has; a fifth as many users, a five hundredth as many servers
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(FEW..))]
    devices: u64,
    /// Prints the figures as JSON
    #[arg(long)]
    json: bool,
    /// Keeps the databases, and tells their names
    #[arg(long)]
    keep: bool,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (keep, json) = (arguments.keep, arguments.json);
    match run(arguments.devices, keep).await {
        Ok(report) => {
            print(&report, json);
            ExitCode::from(u8::from(!report.is_met()))
        }
        Err(error) => {
            progress(&format!("storage: {error:#}"));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "it prints what it measures")]
fn print(report: &Report, json: bool) {
    if json {
        println!("{}", report.json());
    } else {
        println!("\n{}", report.text());
    }
}

/// Measures, and removes the databases whatever becomes of it.
async fn run(devices: u64, keep: bool) -> anyhow::Result<Report> {
    let size = Size::of_devices(devices);
    let gigabytes = (size.devices() * DISK_PER_DEVICE).div_ceil(1_000_000_000);
    progress(&format!(
        "{} devices need {gigabytes} GB of disk where PostgreSQL has its data",
        size.devices()
    ));
    let mut databases = Vec::new();
    let mut terminated = signal(SignalKind::terminate())?;
    let measured = tokio::select! {
        measured = AssertUnwindSafe(measure(&mut databases, size)).catch_unwind() => {
            measured.unwrap_or_else(|_| Err(anyhow!("a panic, told above")))
        }
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        _ = terminated.recv() => Err(anyhow!("terminated")),
    };
    for database in databases {
        if keep {
            progress(&format!("kept: {}", database.name()));
        } else if let Err(error) = database.remove().await {
            progress(&format!("`{}` is left behind: {error:#}", database.name()));
        }
    }
    measured
}

/// Measures, and leaves the databases that it made.
async fn measure(databases: &mut Vec<Database>, size: Size) -> anyhow::Result<Report> {
    for _ in 0..4 {
        databases.push(Database::create().await?);
    }
    let [small, full, source, target] = databases.as_slice() else {
        unreachable!("four were made")
    };
    let mut report = Report::default();
    for setting in
        ["server_version", "shared_buffers", "fsync", "synchronous_commit", "full_page_writes"]
    {
        let rows = full.rows(&format!("SHOW {setting}")).await?;
        let value: Option<String> = rows.first().map(|row| row.try_get_by_index(0)).transpose()?;
        progress(&format!("{setting} = {}", value.unwrap_or_default()));
    }
    let few = Size::of_devices(FEW);
    fill::fill(small, few).await?;
    report.note("filling the full database", fill::fill(full, size).await?, "s");
    sizes::measure(full, &mut report).await?;
    fill::warm(full).await?;
    let readers = [Reader::open(small, few).await?, Reader::open(full, size).await?];
    for reader in &readers {
        reader.check_rows().await?;
    }
    lookups::measure(&readers, &mut report).await?;
    for reader in readers {
        reader.close().await?;
    }
    notifies::measure_memory([small, full], &mut report).await?;
    notifies::measure_cost(full, size, &mut report).await?;
    registrations::measure(full, size, &mut report).await?;
    imports::measure(source, target, size, &mut report).await?;
    Ok(report)
}
