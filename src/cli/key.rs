//! `push-bouncer key …`: the keys that the bouncer holds for others.

mod registration;

use super::{error::CommandResult, output::Output};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Keys that phones seal their registrations with
    #[command(subcommand)]
    Registration(registration::Command),
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Registration(command) => command.output(),
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    match command {
        Command::Registration(command) => registration::run(command),
    }
}
