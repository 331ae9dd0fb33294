//! `push-bouncer purge`: delete old rows at once, or count them.

use std::fmt::Write as _;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    database::DatabaseArguments,
    error::{CommandError, CommandResult, exit},
    output::Output,
    progress::Progress,
};
use crate::{
    clock::{Clock, Timestamp},
    config::RetentionConfig,
    registry::{Registry, RegistryError, RowGroup},
    retention::{Deleted, delete_old_rows},
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only these rows; without it all
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    what: Vec<What>,
    /// Count the rows, and delete none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Devices that are gone
    Devices,
    /// Counts of hours and days
    Stats,
    /// What happened to registrations, and on organizations
    Audit,
}

impl What {
    fn of(group: RowGroup) -> Self {
        match group {
            RowGroup::Devices => Self::Devices,
            RowGroup::Stats => Self::Stats,
            RowGroup::Audit => Self::Audit,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let Arguments { what, dry_run, database, output } = arguments;
    let is_meant = |group: &RowGroup| what.is_empty() || what.contains(&What::of(*group));
    let groups: Vec<RowGroup> = RowGroup::ALL.into_iter().filter(is_meant).collect();
    database.work(async |config, registry| {
        let now = Clock::default().now();
        let rows = if *dry_run {
            count(&registry, &groups, &config.retention, now).await?
        } else {
            delete(&registry, &groups, &config.retention, now, *output).await?
        };
        let total: u64 = rows.values().sum();
        let end = match (total, dry_run) {
            (0, _) => "No row is old enough to be deleted.".to_owned(),
            (_, false) => format!("Deleted {total} rows."),
            (_, true) => format!("{total} rows would be deleted."),
        };
        let mut text = String::new();
        for (table, rows) in rows.iter().filter(|(_, rows)| **rows > 0) {
            writeln!(text, "{table}: {rows}").expect("writing a text into memory does not fail");
        }
        output.say(text + &end, &json!({ "dry_run": dry_run, "rows": total, "tables": rows }))
    })
}

async fn count(
    registry: &Registry,
    groups: &[RowGroup],
    config: &RetentionConfig,
    now: Timestamp,
) -> Result<Deleted, RegistryError> {
    let mut counted = Deleted::default();
    for rows in groups.iter().flat_map(|group| group.old_rows(config, now)) {
        *counted.entry(rows.table()).or_default() += registry.count_old(&rows).await?;
    }
    Ok(counted)
}

async fn delete(
    registry: &Registry,
    groups: &[RowGroup],
    config: &RetentionConfig,
    now: Timestamp,
    output: Output,
) -> Result<Deleted, CommandError> {
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|error| CommandError::new(exit::UNAVAILABLE, error))?;
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    tokio::spawn(async move {
        interrupt.recv().await;
        interrupted.cancel();
    });
    let (mut deleted, mut progress) = (Deleted::default(), Progress::new(output));
    let is_done = delete_old_rows(registry, groups, config, now, &stop, &mut deleted, |deleted| {
        progress.tell(|| format!("{} rows deleted so far", deleted.values().sum::<u64>()));
    })
    .await?;
    if is_done {
        return Ok(deleted);
    }
    let text = format!("interrupted; {} rows are deleted", deleted.values().sum::<u64>());
    Err(CommandError::told(exit::INTERRUPTED, text).with_help("resume with the same command"))
}
