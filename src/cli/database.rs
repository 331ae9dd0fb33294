//! The database, for commands that work on it beside the service.

use std::{future::Future, path::PathBuf, sync::Arc};

use super::error::{CommandError, CommandResult, exit};
use crate::{
    clock::Clock,
    config::Config,
    metrics::Metrics,
    registry::{Decision, OpenError, Registry, RegistryError, Schema},
    telemetry,
};

/// What every command on the database needs to know.
#[derive(clap::Args)]
pub(super) struct DatabaseArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/push-bouncer/push-bouncer.toml")]
    config: PathBuf,
}

/// Only what is wrong; the command itself tells what it did.
const LOG_LEVEL: &str = "warn";

impl DatabaseArguments {
    /// Reads the settings, opens their database, does the work, and closes the database. A schema that an
    /// older service may be using is not changed.
    pub(super) fn work<F>(&self, work: impl FnOnce(Config, Registry) -> F) -> CommandResult
    where
        F: Future<Output = CommandResult>,
    {
        self.run(async |config| {
            let metrics = Arc::new(Metrics::default());
            let registry =
                Registry::open_beside(&config.database, Clock::default(), metrics).await?;
            let done = work(config, registry.clone()).await?;
            registry.close().await?;
            Ok(done)
        })
    }

    /// The same for work on the schema itself, whichever it is; whether a SQLite file may be made.
    pub(super) fn work_on_schema(
        &self,
        may_create: bool,
        work: impl AsyncFnOnce(&Schema) -> CommandResult,
    ) -> CommandResult {
        self.run(async |config| {
            let schema = Schema::open(&config.database, may_create).await?;
            let done = work(&schema).await?;
            schema.close().await?;
            Ok(done)
        })
    }

    fn run(&self, work: impl AsyncFnOnce(Config) -> CommandResult) -> CommandResult {
        telemetry::start(LOG_LEVEL, false)
            .map_err(|error| CommandError::new(exit::CONFIGURATION, error))?;
        let config = Config::read(&self.config)
            .map_err(|error| CommandError::new(exit::CONFIGURATION, error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CommandError::new(exit::UNAVAILABLE, error))?;
        runtime.block_on(work(config))
    }
}

/// Why something is decided; who decided is known.
#[derive(clap::Args)]
pub(super) struct DecisionArguments {
    /// Why; it goes to the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl DecisionArguments {
    /// Who decided, as far as the environment tells, and why.
    pub(super) fn decision(&self) -> Decision {
        let name = |variable| std::env::var(variable).ok().filter(|name: &String| !name.is_empty());
        Decision { actor: name("SUDO_USER").or_else(|| name("USER")), reason: self.reason.clone() }
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        Self::new(exit::UNAVAILABLE, error)
    }
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        let code = match &error {
            OpenError::UrlFile { .. } | OpenError::Scheme => exit::CONFIGURATION,
            OpenError::Create(_) | OpenError::Connect(_) | OpenError::Migrate(_) => {
                exit::UNAVAILABLE
            }
            OpenError::Outdated(_)
            | OpenError::Newer { .. }
            | OpenError::Locked(_)
            | OpenError::InUse { .. } => exit::TRY_LATER,
        };
        Self::new(code, error)
    }
}
