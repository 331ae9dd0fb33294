//! `push-bouncer import verify`: compare what is here with what is there.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::json;

use super::{SourceArguments, summary};
use crate::{
    cli::{
        database::DatabaseArguments,
        error::{CommandResult, exit},
        moment,
        output::Output,
    },
    import::{Importer, Report},
    registry::Storing,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

/// Ends with 1 when something is different.
pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let output = arguments.output;
    let source = arguments.source.source()?;
    arguments.database.work(async |config, registry| {
        let mut importer =
            Importer::new(&config, registry.clone(), source, Storing::No, Report::none());
        let verified = importer.verify().await?;
        let periods = registry.tombstone_periods().await?;
        let mut text = summary::differences(&verified);
        let mut value = summary::differences_value(&verified);
        for period in &periods {
            let until = moment::utc(period.ends_at);
            writeln!(
                text,
                "Until {until} chat servers are told only of devices that are known to be gone ({}).",
                period.cause
            )
            .expect("writing a text into memory does not fail");
            value["tombstones_only_until"][&period.cause] = until.into();
        }
        let end = match verified.different {
            0 => "Nothing is different.".to_owned(),
            different => format!("{different} rows are different."),
        };
        let said = output.say(text + &end, &json!(value))?;
        Ok(if verified.is_equal() { said } else { ExitCode::from(exit::PROBLEMS) })
    })
}
