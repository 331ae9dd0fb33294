//! `push-bouncer db status`: which migrations the database has and lacks.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::json;

use crate::{
    cli::{
        database::DatabaseArguments,
        error::{CommandResult, exit},
        output::Output,
    },
    registry::SchemaStatus,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

/// Ends with 1 when the schema is not this program's.
pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let output = arguments.output;
    arguments.database.work_on_schema(false, async |schema| {
        let status = schema.status().await?;
        let value = json!({
            "is_current": status.is_current(),
            "applied": status.applied,
            "pending": status.pending,
            "unknown": status.unknown,
        });
        let said = output.say(text(&status), &value)?;
        if !status.pending.is_empty() && status.unknown.is_empty() {
            output.talk("See what would be done: push-bouncer db migrate --plan\nDo it: push-bouncer db migrate");
        }
        Ok(if status.is_current() { said } else { ExitCode::from(exit::PROBLEMS) })
    })
}

fn text(status: &SchemaStatus) -> String {
    let mut text =
        format!("The schema has {} of {} migrations.", status.applied.len(), status.known());
    for (names, what) in
        [(&status.pending, "missing"), (&status.unknown, "of a newer push-bouncer")]
    {
        for name in names {
            write!(text, "\n{name}: {what}").expect("writing a text into memory does not fail");
        }
    }
    text
}
