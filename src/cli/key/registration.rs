//! `push-bouncer key registration …`: the keys that phones seal their registrations with.

mod create;
mod list;
mod retire;

use crate::{
    cli::{
        error::{CommandError, CommandResult, exit},
        output::Output,
    },
    config::Config,
    push_registration::RegistrationKeys,
    random::Random,
    registry::Registry,
    secret_key::SecretKey,
};

#[derive(clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Make a key, or take over the one of another bouncer, and print what goes into the app
    Create(create::Arguments),
    /// Show all keys and how much they are used
    List(list::Arguments),
    /// Stop taking registrations that are sealed for a key
    Retire(retire::Arguments),
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Create(arguments) => arguments.output,
            Self::List(arguments) => arguments.output,
            Self::Retire(arguments) => arguments.output,
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    match command {
        Command::Create(arguments) => create::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Retire(arguments) => retire::run(arguments),
    }
}

/// The keys in a database, under the operator's secret.
fn keys(config: &Config, registry: Registry) -> Result<RegistrationKeys, CommandError> {
    let secret = SecretKey::read(&config.secret_key_file)
        .map_err(|error| CommandError::new(exit::CONFIGURATION, error))?;
    Ok(RegistrationKeys::new(registry, &secret, Random::default()))
}
