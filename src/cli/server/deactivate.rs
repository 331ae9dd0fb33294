//! `push-bouncer server deactivate`: a server's requests are refused from now on.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::json;

use super::super::{
    error::{CommandError, CommandResult, exit},
    output::Output,
    selection::{self, Preferred},
};
use super::Selected;
use crate::registry::Deactivation;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    common: Selected,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    pub(super) fn output(&self) -> Output {
        self.common.output
    }
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let Arguments { common, yes } = arguments;
    common.database.work(async |_, registry| {
        let server = selection::server(&registry, &common.server, Preferred::Active).await?;
        if !server.deactivated {
            if !yes {
                confirm(&server.hostname)?;
            }
            let decided = registry.deactivate_server(&server, &common.decision.decision()).await?;
            if decided == Deactivation::PlanGoesOn {
                let text = format!("{} or one of its realms has a plan that goes on", server.hostname);
                return Err(CommandError::told(exit::REFUSED, text)
                    .with_help("end the plan first: `push-bouncer server set-plan … none`"));
            }
        }
        let told = if server.deactivated { "was deactivated before" } else { "is deactivated" };
        common.output.say(
            format!("{} {told}. `push-bouncer server reactivate` undoes it.", server.hostname),
            &json!({ "server": server.uuid.to_string(), "hostname": server.hostname, "deactivated": true }),
        )
    })
}

/// Asks a person; a program has to say `--yes`.
fn confirm(hostname: &str) -> Result<(), CommandError> {
    let refused = |text: String| Err(CommandError::told(exit::REFUSED, text));
    if !io::stdin().is_terminal() {
        return refused("nobody can be asked; say `--yes`".to_owned());
    }
    let mut talk = io::stderr();
    let asked = write!(
        talk,
        "This stops pushes for {hostname}. Nothing is deleted.\nType the host name to go on: "
    )
    .and_then(|()| talk.flush());
    asked.map_err(|error| CommandError::new(exit::UNAVAILABLE, error))?;
    let mut typed = String::new();
    io::stdin()
        .lock()
        .read_line(&mut typed)
        .map_err(|error| CommandError::new(exit::UNAVAILABLE, error))?;
    if typed.trim() != hostname {
        return refused("that is not the host name; nothing was changed".to_owned());
    }
    Ok(())
}
