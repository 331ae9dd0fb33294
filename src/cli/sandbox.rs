//! `push-bouncer sandbox`: the bouncer with everything around it made up, and a story told with it;
//! or one fake push service alone.

mod alone;
mod directory;
mod render;
mod report;
mod story;

use std::{io::Write as _, net::SocketAddr, process::ExitCode};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CommandError, CommandResult, exit};
use crate::{
    clock::Clock,
    config::Config,
    sandbox::{
        control::Control,
        remote_server::RemoteServer,
        surroundings::{Surroundings, SurroundingsOptions},
    },
    server::Server,
    telemetry,
};
use report::Report;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    fake: Option<alone::Fake>,
    /// End after the demonstration instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
    /// Print one JSON value instead of text
    #[arg(long)]
    json: bool,
    /// Where the bouncer listens; port 0 is any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the push services are controlled: an address of loopback (see docs/SANDBOX.md); nowhere by default
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
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
        .block_on(async {
            match &arguments.fake {
                None => demonstrate(arguments).await,
                Some(fake) => alone::run(fake).await,
            }
        })
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
    let Surroundings { apns, fcm, .. } = &surroundings;
    let control = match arguments.control {
        Some(address) => Some(Control::of_both(address, apns, fcm).await?),
        None => None,
    };
    let mut report = Report::new(steps, public_key, &remote_server, &server, &surroundings);
    report.control_url = control.as_ref().map(|control| format!("http://{}", control.address()));
    let end = End::listen()?;
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
        end.come().await;
    }
    if let Some(control) = control {
        control.shutdown().await;
    }
    server.shutdown().await;
    surroundings.apns.shutdown().await;
    surroundings.fcm.shutdown().await;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(exit::PROBLEMS) })
}

/// Ctrl-C and SIGTERM, which end the program by themselves until this is there.
struct End {
    interrupt: Signal,
    terminate: Signal,
}

impl End {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    async fn come(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
