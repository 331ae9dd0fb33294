//! The command line: one file per command.

mod database;
mod error;
mod key;
mod moment;
mod output;
mod plan;
mod realm;
mod sandbox;
mod selection;
mod serve;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::{CommandError, CommandResult, exit};
use output::Output;

/// Forwards push notifications of self-hosted Zulip servers to Apple and Google.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::Arguments),
    /// Decide about registered servers
    #[command(subcommand)]
    Server(server::Command),
    /// Decide about organizations on registered servers
    #[command(subcommand)]
    Realm(realm::Command),
    /// Keys that are embedded in apps
    #[command(subcommand)]
    Key(key::Command),
    /// Try everything at once, with made-up push services and a made-up chat server
    Sandbox(sandbox::Arguments),
}

/// Runs the command that the command line names.
pub fn run() -> ExitCode {
    let (result, output) = match Arguments::parse().command {
        Command::Serve(arguments) => (serve::run(&arguments), Output::default()),
        Command::Server(command) => (server::run(&command), command.output()),
        Command::Realm(command) => (realm::run(&command), command.output()),
        Command::Key(command) => (key::run(&command), command.output()),
        Command::Sandbox(arguments) => (sandbox::run(&arguments), Output::default()),
    };
    result.unwrap_or_else(|error| {
        output.complain(&error);
        ExitCode::from(error.code)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Arguments::command().debug_assert();
    }
}
