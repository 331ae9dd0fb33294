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

    /// Whether a person reads it.
    pub(super) fn is_for_a_person(self) -> bool {
        !self.json
    }

    /// For a program, whatever it asked for.
    pub(super) fn json() -> Self {
        Self { json: true }
    }

    /// Says what a command failed of: a person reads it on standard error, a program on standard output.
    pub(super) fn complain(self, error: &CommandError) {
        let CommandError { source, help, .. } = error;
        // Nobody reads it when it cannot be written.
        let _ = if self.json {
            let error = json!({ "code": error.name(), "message": told(source), "help": help });
            writeln!(io::stdout(), "{}", json!({ "error": error }))
        } else {
            let help = help.as_deref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
            writeln!(io::stderr(), "error: {}{help}", told(source))
        };
    }
}

/// What went wrong, and each cause that is not told by what it caused.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !told.contains(&cause) {
            let separator = if told.is_empty() { "" } else { ": " };
            told = format!("{told}{separator}{cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let told_already =
            Err::<(), _>(anyhow!("no such file")).context("cannot read `x`: no such file");
        assert_eq!(told(&told_already.unwrap_err()), "cannot read `x`: no such file");
        let not_told = Err::<(), _>(anyhow!("no such file")).context("cannot read `x`");
        assert_eq!(told(&not_told.unwrap_err()), "cannot read `x`: no such file");
    }
}
