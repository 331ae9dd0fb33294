//! `push-bouncer brake …`: devices that Apple or Google call bad, where too many are.

mod release;
mod status;

use super::{error::CommandResult, output::Output};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show which brakes are on, and how many devices are in question
    Status(status::Arguments),
    /// Decide about an app's suspects, and take its brake off
    Release(release::Arguments),
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Status(arguments) => arguments.output,
            Self::Release(arguments) => arguments.output,
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    match command {
        Command::Status(arguments) => status::run(arguments),
        Command::Release(arguments) => release::run(arguments),
    }
}
