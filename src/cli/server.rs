//! `push-bouncer server …`: decide about registered servers.

mod approve;
mod deactivate;
mod reactivate;
mod set_plan;

use super::{
    database::{DatabaseArguments, DecisionArguments},
    error::CommandResult,
    output::Output,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Set a server's plan, or take it away
    SetPlan(set_plan::Arguments),
    /// Let a server push that registered while the mode is `approval`
    Approve(Selected),
    /// Refuse a server's requests; nothing of it is deleted
    Deactivate(deactivate::Arguments),
    /// Serve a deactivated server again
    Reactivate(Selected),
}

/// A server, and why.
#[derive(clap::Args)]
pub(super) struct Selected {
    /// The server: its UUID, six digits or more of it, or its host name
    server: String,
    #[command(flatten)]
    decision: DecisionArguments,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    output: Output,
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::SetPlan(arguments) => arguments.output(),
            Self::Deactivate(arguments) => arguments.output(),
            Self::Approve(arguments) | Self::Reactivate(arguments) => arguments.output,
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    match command {
        Command::SetPlan(arguments) => set_plan::run(arguments),
        Command::Approve(arguments) => approve::run(arguments),
        Command::Deactivate(arguments) => deactivate::run(arguments),
        Command::Reactivate(arguments) => reactivate::run(arguments),
    }
}
