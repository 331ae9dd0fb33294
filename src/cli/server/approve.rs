//! `push-bouncer server approve`: a server that waits may push.

use serde_json::json;

use super::{
    super::{
        error::CommandResult,
        selection::{self, Preferred},
    },
    Selected,
};

pub(super) fn run(arguments: &Selected) -> CommandResult {
    arguments.database.work(async |_, registry| {
        let server = selection::server(&registry, &arguments.server, Preferred::Active).await?;
        if !server.approved {
            registry.approve_server(&server, &arguments.decision.decision()).await?;
        }
        let told = if server.approved { "was approved before" } else { "may push now" };
        arguments.output.say(
            format!("{} {told}.", server.hostname),
            &json!({ "server": server.uuid.to_string(), "hostname": server.hostname, "approved": true }),
        )
    })
}
