//! `push-bouncer brake release`: suspects become ordinary devices or are removed, and the brake is off.

use serde_json::json;

use crate::{
    brake::devices_of_app,
    cli::{
        database::{DatabaseArguments, DecisionArguments},
        error::{CommandError, CommandResult, exit},
        output::Output,
        progress::Progress,
    },
    config::Config,
    domain::device::Provider,
    registry::Verdict,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The push service
    provider: ProviderName,
    /// The app's name in the configuration
    app: String,
    #[command(flatten)]
    verdict: VerdictArguments,
    #[command(flatten)]
    decision: DecisionArguments,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ProviderName {
    /// Apple's
    Apns,
    /// Google's
    Fcm,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct VerdictArguments {
    /// The fault was ours: suspects are devices like all others
    #[arg(long)]
    restore: bool,
    /// The devices are bad: suspects are removed
    #[arg(long)]
    expire: bool,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let Arguments { app: name, output, .. } = arguments;
    let provider = match arguments.provider {
        ProviderName::Apns => Provider::Apns,
        ProviderName::Fcm => Provider::Fcm,
    };
    let (verdict, done) = match arguments.verdict.restore {
        true => (Verdict::Restore, "restored"),
        false => (Verdict::Expire, "expired"),
    };
    arguments.database.work(async move |config, registry| {
        let brakes = registry.brakes().await?;
        let has_brake =
            |provider| brakes.iter().any(|brake| brake.provider == provider && brake.app == *name);
        if !is_configured(&config, provider, name) && !has_brake(provider) {
            return Err(no_such_app(provider, name));
        }
        let app = devices_of_app(&config, provider, name);
        let decision = arguments.decision.decision();
        // Where the fault is not mended, devices become suspects again as fast as they are restored.
        let most = registry.doubts(&app).await?.suspects;
        let (mut devices, mut progress) = (0, Progress::new(*output));
        while devices < most {
            // A batch is all or nothing: who is interrupted says the same again.
            let settled = registry.settle_suspects(&app, verdict, &decision).await?;
            if settled == 0 {
                break;
            }
            devices += settled;
            progress.tell(|| format!("{devices} devices {done} so far"));
        }
        let was_engaged = registry.release_brake(provider, name).await?;
        let provider = provider.as_str();
        let brake = if was_engaged { "The brake is off" } else { "The brake was not on" };
        output.say(
            format!("{devices} devices of {provider} {name} {done}. {brake}."),
            &json!({
                "provider": provider, "app": name, "change": done, "devices": devices,
                "released": was_engaged,
            }),
        )
    })
}

fn is_configured(config: &Config, provider: Provider, name: &str) -> bool {
    match provider {
        Provider::Apns => config.apns.contains_key(name),
        Provider::Fcm => config.fcm.contains_key(name),
    }
}

fn no_such_app(provider: Provider, name: &str) -> CommandError {
    let provider = provider.as_str();
    let text =
        format!("the configuration has no app `{provider}.{name}`, and no brake is on for it");
    CommandError::told(exit::NO_MATCH, text).with_help("`push-bouncer brake status` shows all apps")
}
