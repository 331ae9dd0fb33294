//! What a command says: a text for a person on standard output, or one JSON value for a program.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use serde::Serialize;
use serde_json::json;

use super::error::{CommandError, CommandResult, exit};

/// How a command says what it has to say.
#[derive(Clone, Copy, Default, clap::Args)]
pub(super) struct Output {
    /// Print one JSON value instead of text
    #[arg(long)]
    json: bool,
}

impl Output {
    /// Says what came of a command.
    pub(super) fn say(self, text: impl Display, value: &impl Serialize) -> CommandResult {
        let mut output = io::stdout().lock();
        let written = if self.json {
            serde_json::to_string_pretty(value)
                .map_err(io::Error::other)
                .and_then(|value| writeln!(output, "{value}"))
        } else {
            writeln!(output, "{text}")
        };
        written
            .and_then(|()| output.flush())
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| CommandError::new(exit::UNAVAILABLE, error))
    }

    /// Says something to the person at the terminal, beside what came of a command; a program gets none of it.
    pub(super) fn talk(self, text: &str) {
        if !self.json {
            // Nobody reads it when it cannot be written.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Says what a command failed of: a person reads it on standard error, a program on standard output.
    pub(super) fn complain(self, error: &CommandError) {
        let CommandError { source, help, .. } = error;
        // Nobody reads it when it cannot be written.
        let _ = if self.json {
            let message = format!("{source:#}");
            let error = json!({ "code": error.name(), "message": message, "help": help });
            writeln!(io::stdout(), "{}", json!({ "error": error }))
        } else {
            let help = help.as_deref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
            writeln!(io::stderr(), "error: {source:#}{help}")
        };
    }
}
