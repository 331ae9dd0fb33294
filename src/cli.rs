//! The command line: one file per command.

mod sandbox;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How the program ends, beside 0 for done.
mod exit {
    /// Done, and the answer is bad.
    pub(super) const PROBLEMS: u8 = 1;
    /// Something we need cannot be reached.
    pub(super) const UNAVAILABLE: u8 = 69;
    /// The schema is another than ours.
    pub(super) const TRY_LATER: u8 = 75;
    /// The configuration is not valid.
    pub(super) const CONFIGURATION: u8 = 78;
}

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
    /// Try everything at once, with made-up push services and a made-up chat server
    Sandbox(sandbox::Arguments),
}

/// Runs the command that the command line names.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write as _;
            // Nobody reads it when standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {:#}", error.source);
            ExitCode::from(error.code)
        }
    }
}

/// What a command failed of, and how the program ends then.
struct CommandError {
    source: anyhow::Error,
    code: u8,
}

impl CommandError {
    fn new(code: u8, source: impl Into<anyhow::Error>) -> Self {
        Self { source: source.into(), code }
    }
}

type CommandResult = Result<ExitCode, CommandError>;
