//! `push-bouncer db …`: the schema of the database.

mod migrate;
mod status;

use super::{error::CommandResult, output::Output};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show which migrations the database has and lacks
    Status(status::Arguments),
    /// Make the migrations that the database lacks
    Migrate(migrate::Arguments),
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Status(arguments) => arguments.output,
            Self::Migrate(arguments) => arguments.output,
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    match command {
        Command::Status(arguments) => status::run(arguments),
        Command::Migrate(arguments) => migrate::run(arguments),
    }
}
