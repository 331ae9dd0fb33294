//! `push-bouncer import zulip`: take over Zulip's own bouncer.

use std::{path::PathBuf, time::Duration};

use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{SourceArguments, bar::Bar, summary};
use crate::{
    cli::{
        database::DatabaseArguments,
        error::{CommandError, CommandResult, exit},
        output::Output,
    },
    import::{ImportError, Importer, Numbers, Report, Thoroughness},
    registry::Storing,
};

/// How long the source is left alone between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Only count what would be taken, and why what would not
    #[arg(long, conflicts_with_all = ["follow", "is_final"])]
    dry_run: bool,
    /// Take what changes there too, until interrupted
    #[arg(long)]
    follow: bool,
    /// Take what changed for the last time, and compare: say so when nobody writes there any more
    #[arg(long = "final")]
    is_final: bool,
    /// Leave out devices of apps that are not in the configuration
    #[arg(long)]
    skip_unknown_apps: bool,
    /// Where rows that are not taken are told
    #[arg(long, value_name = "FILE", default_value = "import.csv")]
    report: PathBuf,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let source = arguments.source.source()?;
    let output = arguments.output;
    arguments.database.work(async |config, registry| {
        let report = Report::create(&arguments.report).map_err(ImportError::from)?;
        let storing = if arguments.dry_run { Storing::No } else { Storing::Yes };
        let mut importer = Importer::new(&config, registry, source, storing, report);
        let apps = importer.unknown_apps().await?;
        if !apps.is_empty() && !arguments.skip_unknown_apps && !arguments.dry_run {
            return Err(unknown(&apps));
        }
        let (stop, mut bar) = (stop()?, Bar::new(output));
        let is_done =
            importer.pass(Thoroughness::Whole, &stop, |step| bar.step(step)).await;
        bar.clear();
        if !is_done? {
            let interrupted = "interrupted; what was taken so far stays".to_owned();
            return Err(CommandError::told(exit::INTERRUPTED, interrupted)
                .with_help("resume with the same command"));
        }
        let mut value = summary::value(importer.outcome());
        value["dry_run"] = arguments.dry_run.into();
        value["unknown_apps"] = apps.iter().map(|(app, devices)| json!([app, devices])).collect();
        let mut text = summary::text(importer.outcome());
        for (app, devices) in &apps {
            text += &format!("app id {app}: {devices} devices → add an app, or --skip-unknown-apps\n");
        }
        if arguments.follow {
            output.talk(text.trim_end());
            output.talk("Following; Ctrl-C ends it.");
            follow(&mut importer, &stop, output).await?;
            text = String::new();
            if arguments.is_final {
                let to_the_end = CancellationToken::new();
                importer.pass(Thoroughness::Changes, &to_the_end, |_| {}).await?;
            }
        }
        if arguments.is_final {
            let verified = importer.verify().await?;
            if !verified.is_equal() {
                output.talk(summary::differences(&verified).trim_end());
                let text = format!("{} rows are different", verified.different);
                return Err(CommandError::told(exit::REFUSED, text).with_help(
                    "do not switch yet: stop all writes at the source, and run the same command again",
                ));
            }
            text += &summary::differences(&verified);
            value["verified"] = summary::differences_value(&verified);
        }
        output.say(text + end(arguments), &value)
    })
}

fn end(arguments: &Arguments) -> &'static str {
    if arguments.dry_run {
        "Nothing was written. Run again without --dry-run."
    } else if arguments.is_final {
        "Imported, and nothing is different: switch now. For 30 days chat servers are told only of devices that are known to be gone."
    } else if arguments.follow {
        "Followed until now. Before you switch: stop all writes at the source, then run this with --final."
    } else {
        "Imported. Follow changes until you switch: the same command with --follow."
    }
}

async fn follow(
    importer: &mut Importer,
    stop: &CancellationToken,
    output: Output,
) -> Result<(), CommandError> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(LOOK_INTERVAL) => {}
        }
        match importer.pass(Thoroughness::Changes, stop, |_| {}).await {
            Ok(_) => {
                if importer.outcome().tables.values().any(Numbers::is_news) {
                    output.talk(summary::text(importer.outcome()).trim_end());
                }
            }
            // The source may be restarted meanwhile.
            Err(ImportError::Source(error)) => output.talk(&format!("{error}; trying again")),
            Err(error) => return Err(error.into()),
        }
    }
}

fn unknown(apps: &[(String, u64)]) -> CommandError {
    let named: Vec<String> =
        apps.iter().take(10).map(|(app, devices)| format!("`{app}` ({devices} devices)")).collect();
    let text = format!("the configuration has no app for {}", named.join(", "));
    CommandError::told(exit::REFUSED, text)
        .with_help("add the app to `[apns.…]`, or leave these devices out with --skip-unknown-apps")
}

/// Cancelled by Ctrl-C, and by who ends services.
fn stop() -> Result<CancellationToken, CommandError> {
    let unavailable = |error| CommandError::new(exit::UNAVAILABLE, error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopped.cancel();
    });
    Ok(stop)
}
