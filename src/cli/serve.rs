//! `push-bouncer serve`: run the service.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
};

use super::{CommandError, CommandResult, exit};
use crate::{
    app::BuildError,
    clock::Clock,
    config::{Config, ConfigError},
    listener::ListenError,
    registry::OpenError,
    server::{Server, StartError},
    telemetry,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/push-bouncer/push-bouncer.toml")]
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let config =
        read(&arguments.config).map_err(|error| CommandError::new(exit::CONFIGURATION, error))?;
    telemetry::start(&config.log.level, config.log.format.is_json())
        .map_err(|error| CommandError::new(exit::CONFIGURATION, error))?;
    telemetry::quiet_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::new(exit::UNAVAILABLE, error))?;
    runtime.block_on(serve(config, &arguments.config))
}

async fn serve(config: Config, file: &Path) -> CommandResult {
    let unavailable = |error| CommandError::new(exit::UNAVAILABLE, error);
    let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
    // From the start on, so that it does not end the program.
    let mut hangup = signal(SignalKind::hangup()).map_err(unavailable)?;
    let server = Server::bind(config, Clock::default())
        .await
        .map_err(|error| CommandError::new(code(&error), error))?;
    tracing::info!(
        event = "server.started",
        public = %server.public_address(),
        operator = server.operator_address().map(tracing::field::display),
        version = env!("CARGO_PKG_VERSION"),
        "push-bouncer serves",
    );
    let reloading = async {
        while hangup.recv().await.is_some() {
            reload(&server, file).await;
        }
        // No further signal can come.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reloading => {}
    }
    tracing::info!(event = "server.stopping", "finishing what is under way");
    server.shutdown().await;
    tracing::info!(event = "server.stopped", "push-bouncer has stopped");
    Ok(ExitCode::SUCCESS)
}

/// The settings in a file, and those that the environment adds.
fn read(file: &Path) -> Result<Config, ConfigError> {
    Config::read(file)?.with_environment(|name| std::env::var(name).ok())
}

/// What SIGHUP asks for: the credentials, and where they come from, are read again.
async fn reload(server: &Server, file: &Path) {
    let path = file.to_owned();
    let config = match spawn_blocking(move || read(&path)).await {
        Ok(Ok(config)) => Some(config),
        Ok(Err(error)) => {
            tracing::error!(event = "config.reload_failed", file = %file.display(), %error, "the configuration stays as it is; the files that it names are read again");
            None
        }
        // It has panicked, which was logged where it happened.
        Err(_) => None,
    };
    server.reload(config.as_ref()).await;
}

fn code(error: &StartError) -> u8 {
    match error {
        StartError::Build(BuildError::Registry(
            OpenError::Outdated(_)
            | OpenError::Newer { .. }
            | OpenError::Locked(_)
            | OpenError::InUse { .. },
        )) => exit::TRY_LATER,
        StartError::Build(
            BuildError::Registry(OpenError::Scheme | OpenError::UrlFile { .. })
            | BuildError::SecretKey(_)
            | BuildError::SharedState(_)
            | BuildError::Providers(_)
            | BuildError::Names(_)
            | BuildError::Proxy(_)
            | BuildError::Trust(_),
        )
        | StartError::Listen(ListenError::Tls(_)) => exit::CONFIGURATION,
        StartError::Build(BuildError::Registry(
            OpenError::Create(_) | OpenError::Connect(_) | OpenError::Migrate(_),
        )) => exit::UNAVAILABLE,
        StartError::Listen(ListenError::Bind { .. }) => exit::UNAVAILABLE,
    }
}
