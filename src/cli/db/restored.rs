//! `push-bouncer db restored`: say that the database is that of a backup.

use serde_json::json;

use crate::{
    cli::{database::DatabaseArguments, error::CommandResult, moment, output::Output},
    clock::Clock,
    registry::{HOLES_LAST, HolesCause},
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let output = arguments.output;
    arguments.database.work(async |_, registry| {
        let ends_at = Clock::default().now() + HOLES_LAST;
        registry.begin_tombstone_period(HolesCause::Restored, ends_at).await?;
        let until = moment::utc(ends_at);
        let text = format!(
            "Until {until} chat servers are told only of devices that are known to be gone."
        );
        output.say(text, &json!({ "tombstones_only_until": until }))
    })
}
