//! `push-bouncer brake status`: which brakes are on, and how many devices are in question.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    brake::devices_of_app,
    cli::{
        database::DatabaseArguments,
        error::{CommandError, CommandResult},
        moment::utc,
        output::Output,
    },
    config::Config,
    domain::device::Provider,
    registry::{Doubts, EngagedBrake, Registry},
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

/// What there is to say of one app.
struct AppStatus {
    provider: Provider,
    name: String,
    brake: Option<EngagedBrake>,
    doubts: Doubts,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let output = arguments.output;
    arguments.database.work(async move |config, registry| {
        let apps = read(&config, &registry).await?;
        let values: Vec<Value> = apps.iter().map(AppStatus::value).collect();
        let code = output.say(table(&apps), &json!({"apps": values}))?;
        for app in apps.iter().filter(|app| app.brake.is_some()) {
            output.talk(&app.advice());
        }
        Ok(code)
    })
}

/// All apps of the configuration, and those that only have a brake.
async fn read(config: &Config, registry: &Registry) -> Result<Vec<AppStatus>, CommandError> {
    let mut brakes = registry.brakes().await?;
    let apple = config.apns.keys().map(|name| (Provider::Apns, name.clone()));
    let google = config.fcm.keys().map(|name| (Provider::Fcm, name.clone()));
    let mut apps = Vec::new();
    for (provider, name) in apple.chain(google) {
        let at = brakes.iter().position(|brake| brake.provider == provider && brake.app == name);
        let brake = at.map(|at| brakes.swap_remove(at));
        let doubts = registry.doubts(&devices_of_app(config, provider, &name)).await?;
        apps.push(AppStatus { provider, name, brake, doubts });
    }
    apps.extend(brakes.into_iter().map(|brake| AppStatus {
        provider: brake.provider,
        name: brake.app.clone(),
        brake: Some(brake),
        doubts: Doubts::default(),
    }));
    Ok(apps)
}

impl AppStatus {
    fn value(&self) -> Value {
        let Self { provider, name, brake, doubts } = self;
        json!({
            "provider": provider.as_str(),
            "app": name,
            "engaged": brake.is_some(),
            "engaged_at": brake.as_ref().map(|brake| utc(brake.engaged_at)),
            "sends": brake.as_ref().map(|brake| brake.sends),
            "refusals": brake.as_ref().map(|brake| brake.refusals),
            "suspects": doubts.suspects,
            "in_doubt": doubts.in_doubt,
        })
    }

    fn advice(&self) -> String {
        let Self { provider, name, .. } = self;
        let (provider, what) = match provider {
            Provider::Apns => ("apns", "`topics`, `environment` and the key"),
            Provider::Fcm => {
                ("fcm", "the project of the service account, which must be the app's,")
            }
        };
        format!(
            "No device of {provider} {name} is removed while its brake is on. Check {what} in `[{provider}.{name}]`.\n\
             Once pushes are accepted: push-bouncer brake release {provider} {name} --restore\n\
             If the devices are bad indeed: push-bouncer brake release {provider} {name} --expire"
        )
    }
}

fn table(apps: &[AppStatus]) -> String {
    let mut text = format!(
        "{:8}  {:16}  {:6}  {:20}  {:>8}  {:>8}  {:>8}  {:>8}",
        "PROVIDER", "APP", "BRAKE", "SINCE", "PUSHES", "REFUSED", "SUSPECTS", "IN DOUBT"
    );
    for AppStatus { provider, name, brake, doubts } in apps {
        let provider = provider.as_str();
        let (state, since, sends, refusals) = match brake {
            Some(brake) => {
                ("on", utc(brake.engaged_at), brake.sends.to_string(), brake.refusals.to_string())
            }
            None => ("off", "-".to_owned(), "-".to_owned(), "-".to_owned()),
        };
        let Doubts { suspects, in_doubt } = doubts;
        write!(
            text,
            "\n{provider:8}  {name:16}  {state:6}  {since:20}  {sends:>8}  {refusals:>8}  {suspects:>8}  {in_doubt:>8}"
        )
        .expect("writing a text into memory does not fail");
    }
    text
}
