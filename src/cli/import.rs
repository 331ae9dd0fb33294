//! `push-bouncer import …`: take over what another bouncer has.

mod bar;
mod summary;
mod verify;
mod zulip;

use super::{
    error::{CommandError, CommandResult, exit},
    output::Output,
};
use crate::import::{ImportError, Source, SourceError};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Take servers, realms, devices and counts from the PostgreSQL of Zulip's own bouncer
    Zulip(zulip::Arguments),
    /// Compare what is here with what is there
    Verify(verify::Arguments),
}

/// Where the other bouncer has its rows.
#[derive(clap::Args)]
struct SourceArguments {
    /// Its database: postgres://USER@HOST/NAME; a password is better in ~/.pgpass or PGPASSWORD
    #[arg(long, value_name = "URL", env = "PUSH_BOUNCER_IMPORT_SOURCE", hide_env_values = true)]
    source: String,
}

impl SourceArguments {
    fn source(&self) -> Result<Source, CommandError> {
        Source::parse(&self.source).map_err(|error| CommandError::from(ImportError::from(error)))
    }
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Zulip(arguments) => arguments.output,
            Self::Verify(arguments) => arguments.output,
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    match command {
        Command::Zulip(arguments) => zulip::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
    }
}

impl From<ImportError> for CommandError {
    fn from(error: ImportError) -> Self {
        let code = match &error {
            ImportError::Source(SourceError::Url) => exit::USAGE,
            ImportError::Source(SourceError::NoBouncer) => exit::NO_MATCH,
            ImportError::Source(SourceError::Database(_) | SourceError::Silent)
            | ImportError::Registry(_)
            | ImportError::Report(_) => exit::UNAVAILABLE,
        };
        Self::new(code, error)
    }
}
