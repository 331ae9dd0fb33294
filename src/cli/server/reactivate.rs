//! `push-bouncer server reactivate`: a deactivated server is served again.

use serde_json::json;

use super::{
    super::{
        error::{CommandError, CommandResult, exit},
        selection::{self, Preferred},
    },
    Selected,
};

pub(super) fn run(arguments: &Selected) -> CommandResult {
    arguments.database.work(async |_, registry| {
        let server = selection::server(&registry, &arguments.server, Preferred::Deactivated).await?;
        if server.deactivated {
            if registry.is_hostname_taken(&server.hostname, server.uuid).await? {
                let text = format!("another active server has the host name {}", server.hostname);
                return Err(CommandError::told(exit::REFUSED, text).with_help(
                    "deactivate that one first, or let this one register with another name",
                ));
            }
            registry.reactivate_server(&server, &arguments.decision.decision()).await?;
        }
        let told = if server.deactivated { "is served again" } else { "was active before" };
        arguments.output.say(
            format!("{} {told}.", server.hostname),
            &json!({ "server": server.uuid.to_string(), "hostname": server.hostname, "deactivated": false }),
        )
    })
}
