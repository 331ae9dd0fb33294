//! What a command failed of, and how the program ends then.

use std::process::ExitCode;

/// How the program ends, beside 0 for done.
pub(super) mod exit {
    /// Done, and the answer is bad.
    pub(in crate::cli) const PROBLEMS: u8 = 1;
    /// The command line is not one of ours.
    pub(in crate::cli) const USAGE: u8 = 2;
    /// Nothing matches, or more than one thing.
    pub(in crate::cli) const NO_MATCH: u8 = 3;
    /// What is asked for needs another word, or its state forbids it.
    pub(in crate::cli) const REFUSED: u8 = 4;
    /// Something we need cannot be reached.
    pub(in crate::cli) const UNAVAILABLE: u8 = 69;
    /// The schema is another than ours, or another service has the database.
    pub(in crate::cli) const TRY_LATER: u8 = 75;
    /// The configuration is not valid.
    pub(in crate::cli) const CONFIGURATION: u8 = 78;
    /// Somebody at the terminal ended it, as Ctrl-C does.
    pub(in crate::cli) const INTERRUPTED: u8 = 130;
}

/// What a command failed of.
pub(super) struct CommandError {
    pub(super) source: anyhow::Error,
    pub(super) code: u8,
    /// What the operator can do about it.
    pub(super) help: Option<String>,
}

impl CommandError {
    pub(super) fn new(code: u8, source: impl Into<anyhow::Error>) -> Self {
        Self { source: source.into(), code, help: None }
    }

    /// Something in the operator's own words went wrong.
    pub(super) fn told(code: u8, text: String) -> Self {
        Self::new(code, anyhow::Error::msg(text))
    }

    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The word for it in `--json`.
    pub(super) fn name(&self) -> &'static str {
        match self.code {
            exit::USAGE => "usage",
            exit::NO_MATCH => "no_match",
            exit::REFUSED => "refused",
            exit::UNAVAILABLE => "unavailable",
            exit::TRY_LATER => "try_later",
            exit::CONFIGURATION => "configuration",
            exit::INTERRUPTED => "interrupted",
            _ => "failed",
        }
    }
}

pub(super) type CommandResult = Result<ExitCode, CommandError>;
