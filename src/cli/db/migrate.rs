//! `push-bouncer db migrate`: make the migrations that the database lacks, or show them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    cli::{database::DatabaseArguments, error::CommandResult, output::Output},
    registry::{Effect, Step},
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Show the statements and what they do to others, and change nothing
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let output = arguments.output;
    arguments.database.work_on_schema(!arguments.plan, async |schema| {
        if arguments.plan {
            let steps = schema.plan().await?;
            let values: Vec<Value> = steps.iter().map(value).collect();
            return output.say(plan(&steps), &json!({ "statements": values }));
        }
        let made = schema.migrate().await?;
        let text = if made.is_empty() {
            "The schema was up to date.".to_owned()
        } else {
            format!("Made {}.", made.join(", "))
        };
        output.say(text, &json!({ "made": made }))
    })
}

/// SQL that could be run as it is, with what it does to others as comments.
fn plan(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "-- The schema is up to date.".to_owned();
    }
    let mut text = String::new();
    let mut migration = "";
    for step in steps {
        if step.migration != migration {
            migration = &step.migration;
            let gap = if text.is_empty() { "" } else { "\n\n" };
            write!(text, "{gap}-- {migration}").expect(IN_MEMORY);
        }
        if let Some(effect) = in_words(step) {
            write!(text, "\n-- {effect}").expect(IN_MEMORY);
        }
        write!(text, "\n{};", step.sql.trim_end_matches(';')).expect(IN_MEMORY);
    }
    text
}

const IN_MEMORY: &str = "writing a text into memory does not fail";

/// Nothing for what nobody notices: a statement on a table that does not exist yet.
fn in_words(step: &Step) -> Option<String> {
    let rows = step.rows?;
    Some(match step.effect {
        Effect::Nothing => return None,
        Effect::BlocksWriters => {
            format!("the table, about {rows} rows, cannot be written while this runs")
        }
        Effect::LocksBriefly => format!("locks the table, about {rows} rows, for a moment"),
        Effect::WritesRows => format!("writes up to {rows} rows"),
    })
}

fn value(step: &Step) -> Value {
    let effect = match step.effect {
        Effect::Nothing => "nothing",
        Effect::BlocksWriters => "blocks_writers",
        Effect::LocksBriefly => "locks_briefly",
        Effect::WritesRows => "writes_rows",
    };
    json!({
        "migration": step.migration,
        "sql": step.sql,
        "effect": effect,
        "rows": step.rows,
    })
}
