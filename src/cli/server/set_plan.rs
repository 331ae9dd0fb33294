//! `push-bouncer server set-plan`: what a server may do, and until when.

use serde_json::json;

use super::super::{
    database::{DatabaseArguments, DecisionArguments},
    error::CommandResult,
    output::Output,
    plan::{PlanArguments, ToldPlan, warn_of_policy, words},
    selection::{self, Preferred},
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The server: its UUID, six digits or more of it, or its host name
    server: String,
    #[command(flatten)]
    plan: PlanArguments,
    #[command(flatten)]
    decision: DecisionArguments,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    output: Output,
}

impl Arguments {
    pub(super) fn output(&self) -> Output {
        self.output
    }
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let plan = arguments.plan.plan()?;
    arguments.database.work(async |config, registry| {
        let server = selection::server(&registry, &arguments.server, Preferred::Active).await?;
        registry.set_server_plan(&server, plan.as_ref(), &arguments.decision.decision()).await?;
        let (before, after) = (words(server.plan.as_ref()), words(plan.as_ref()));
        warn_of_policy(plan.as_ref(), config.entitlement.policy, arguments.output);
        arguments.output.say(
            format!("{}: {before} → {after}. All nodes use it within a second.", server.hostname),
            &json!({
                "server": server.uuid.to_string(),
                "hostname": server.hostname,
                "before": server.plan.as_ref().map(ToldPlan::of),
                "plan": plan.as_ref().map(ToldPlan::of),
            }),
        )
    })
}
