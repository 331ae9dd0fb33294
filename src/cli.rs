//! The command line: one file per command.

mod brake;
mod database;
mod db;
mod error;
mod import;
mod key;
mod moment;
mod output;
mod plan;
mod progress;
mod purge;
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
    /// Look at the schema of the database, bring it up to date, say that it was restored
    #[command(subcommand)]
    Db(db::Command),
    /// Decide about registered servers
    #[command(subcommand)]
    Server(server::Command),
    /// Decide about organizations on registered servers
    #[command(subcommand)]
    Realm(realm::Command),
    /// Decide about devices that Apple or Google call bad, where too many are
    #[command(subcommand)]
    Brake(brake::Command),
    /// Keys that are embedded in apps
    #[command(subcommand)]
    Key(key::Command),
    /// Take over what another bouncer has
    #[command(subcommand)]
    Import(import::Command),
    /// Delete old rows at once, as the service does every hour
    Purge(purge::Arguments),
    /// Try everything at once, with made-up push services and a made-up chat server
    Sandbox(sandbox::Arguments),
}

/// Runs the command that the command line names.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misunderstood(&error),
    };
    let (result, output) = match arguments.command {
        Command::Serve(arguments) => (serve::run(&arguments), Output::default()),
        Command::Db(command) => (db::run(&command), command.output()),
        Command::Server(command) => (server::run(&command), command.output()),
        Command::Realm(command) => (realm::run(&command), command.output()),
        Command::Brake(command) => (brake::run(&command), command.output()),
        Command::Key(command) => (key::run(&command), command.output()),
        Command::Import(command) => (import::run(&command), command.output()),
        Command::Purge(arguments) => (purge::run(&arguments), arguments.output),
        Command::Sandbox(arguments) => (sandbox::run(&arguments), Output::default()),
    };
    result.unwrap_or_else(|error| {
        output.complain(&error);
        ExitCode::from(error.code)
    })
}

/// Says what was wrong with the command line, or gives the help it asked for.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let is_for_a_program = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && is_for_a_program {
        let text = error.to_string();
        let text = text.trim().strip_prefix("error: ").unwrap_or(text.trim()).to_owned();
        Output::json().complain(&CommandError::told(exit::USAGE, text));
    } else {
        // Nobody reads it when it cannot be written.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
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
