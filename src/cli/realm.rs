//! `push-bouncer realm …`: decide about organizations on registered servers.

use serde_json::json;

use super::{
    database::{DatabaseArguments, DecisionArguments},
    error::CommandResult,
    output::Output,
    plan::{PlanArguments, ToldPlan, warn_of_policy, words},
    selection,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Set a realm's plan, or take it away; it counts before its server's
    SetPlan(Arguments),
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The realm's UUID
    realm: String,
    #[command(flatten)]
    plan: PlanArguments,
    #[command(flatten)]
    decision: DecisionArguments,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    output: Output,
}

impl Command {
    /// How the command says what it has to say.
    pub(super) fn output(&self) -> Output {
        match self {
            Self::SetPlan(arguments) => arguments.output,
        }
    }
}

pub(super) fn run(command: &Command) -> CommandResult {
    let Command::SetPlan(arguments) = command;
    let plan = arguments.plan.plan()?;
    arguments.database.work(async |config, registry| {
        let realm = selection::realm(&registry, &arguments.realm).await?;
        registry.set_realm_plan(&realm, plan.as_ref(), &arguments.decision.decision()).await?;
        let (before, after) = (words(realm.plan.as_ref()), words(plan.as_ref()));
        warn_of_policy(plan.as_ref(), config.entitlement.policy, arguments.output);
        arguments.output.say(
            format!("{}: {before} → {after}. All nodes use it within a second.", realm.uuid),
            &json!({
                "realm": realm.uuid.to_string(),
                "before": realm.plan.as_ref().map(ToldPlan::of),
                "plan": plan.as_ref().map(ToldPlan::of),
            }),
        )
    })
}
