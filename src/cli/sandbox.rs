//! `push-bouncer sandbox`: the bouncer with everything around it made up, and a story told with it.

mod render;
mod report;
mod story;

use std::{io::Write as _, net::SocketAddr, process::ExitCode};

use tokio::signal::unix::{SignalKind, signal};

use super::{CommandError, CommandResult, exit};
use crate::{
    clock::Clock,
    config::Config,
    sandbox::{
        remote_server::RemoteServer,
        surroundings::{Surroundings, SurroundingsOptions},
    },
    server::Server,
    telemetry,
};
use report::Report;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// End after the demonstration instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
    /// Print one JSON value instead of text
    #[arg(long)]
    json: bool,
    /// Where the bouncer listens; port 0 is any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Warnings of a bouncer that does as it is told would only be in the way.
const LOG_LEVEL: &str = "error";

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    telemetry::start(LOG_LEVEL, false)
        .map_err(|error| CommandError::new(exit::CONFIGURATION, error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::new(exit::UNAVAILABLE, error))?;
    runtime
        .block_on(demonstrate(arguments))
        .map_err(|error| CommandError::new(exit::UNAVAILABLE, error))
}

async fn demonstrate(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let clock = Clock::default();
    let options = SurroundingsOptions {
        listen: arguments.listen,
        // Nobody's mail is sent, and there may be no name server.
        settings: "registration.email_check = \"syntax\"".to_owned(),
        ..SurroundingsOptions::default()
    };
    let surroundings = Surroundings::start(options, clock.clone()).await?;
    let server = Server::bind(Config::parse(surroundings.config())?, clock).await?;
    let address = server.public_address();
    let remote_server = RemoteServer::new(address, surroundings.authority(), "chat.example.org")?;
    let public_key = server.app().push_registrations.keys().create().await?;
    let steps = story::tell(&remote_server, &surroundings, &public_key).await;
    let report = Report::new(steps, public_key, &remote_server, &server, &surroundings);
    let mut output = std::io::stdout().lock();
    if arguments.json {
        writeln!(output, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        render::write(&mut output, &report)?;
        if !arguments.once {
            render::write_invitation(&mut output, &report)?;
        }
    }
    output.flush()?;
    drop(output);
    if !arguments.once {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    server.shutdown().await;
    surroundings.apns.shutdown().await;
    surroundings.fcm.shutdown().await;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(exit::PROBLEMS) })
}
