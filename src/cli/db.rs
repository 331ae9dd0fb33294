//! `push-bouncer db …`: the schema of the database, and backups of it.

mod migrate;
mod restored;
mod status;

use super::{error::CommandResult, output::Output};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show which migrations the database has and lacks
    Status(status::Arguments),
    /// Make the migrations that the database lacks
    Migrate(migrate::Arguments),
    /// Say that a backup was restored: chat servers must not delete what it does not know
    Restored(restored::Arguments),
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Status(arguments) => arguments.output,
            Self::Migrate(arguments) => arguments.output,
            Self::Restored(arguments) => arguments.output,
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    match command {
        Command::Status(arguments) => status::run(arguments),
        Command::Migrate(arguments) => migrate::run(arguments),
        Command::Restored(arguments) => restored::run(arguments),
    }
}
