//! `push-bouncer key registration retire`: one key less.

use serde_json::json;

use crate::{
    cli::{
        database::DatabaseArguments,
        error::{CommandError, CommandResult, exit},
        output::Output,
    },
    push_registration::RegistrationKey,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The public key, or six characters or more of its beginning
    #[arg(value_name = "PUBLIC_KEY")]
    public_key: String,
    /// Also when phones still use it
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let Arguments { public_key, force, output, .. } = arguments;
    arguments.database.work(async move |config, registry| {
        let keys = super::keys(&config, registry)?;
        let all = keys.list().await?;
        let key = find(&all, public_key)?;
        let is_retired = key.retired_at.is_some();
        if !is_retired && key.uses > 0 && !force {
            return Err(still_used(key));
        }
        keys.retire(key).await?;
        let (change, said) = match is_retired {
            true => ("none", "was retired already"),
            false => ("retired", "is retired"),
        };
        let value = json!({"public_key": key.public_key, "change": change});
        let code = output.say(format!("{} {said}", key.public_key), &value)?;
        if !all.iter().any(|other| other.retired_at.is_none() && other.id != key.id) {
            output.talk("There is no key left: no phone can register sealed.");
        }
        Ok(code)
    })
}

/// So many characters of a public key are enough, when only one key begins so; fewer could name the only
/// key by mistake.
const SHORTEST_BEGINNING: usize = 6;

/// The one key that begins so.
fn find<'a>(
    all: &'a [RegistrationKey],
    beginning: &str,
) -> Result<&'a RegistrationKey, CommandError> {
    if beginning.len() < SHORTEST_BEGINNING {
        let text = format!("`{beginning}` is too short to name a key");
        return Err(CommandError::told(exit::NO_MATCH, text)
            .with_help("a key is named by six characters or more of its beginning"));
    }
    let matching: Vec<_> = all.iter().filter(|key| key.public_key.starts_with(beginning)).collect();
    match matching[..] {
        [key] => Ok(key),
        [] => Err(CommandError::told(exit::NO_MATCH, format!("no key begins with `{beginning}`"))
            .with_help("`push-bouncer key registration list` shows all of them")),
        _ => {
            let named: Vec<&str> = matching.iter().map(|key| key.public_key.as_str()).collect();
            let text = format!("several keys begin with `{beginning}`");
            Err(CommandError::told(exit::NO_MATCH, text)
                .with_help(format!("name one of them: {}", named.join(", "))))
        }
    }
}

fn still_used(key: &RegistrationKey) -> CommandError {
    let RegistrationKey { public_key, uses, .. } = key;
    let text =
        format!("{uses} registrations were sealed for the key {public_key} in the last 30 days");
    CommandError::told(exit::REFUSED, text).with_help(
        "with `--force` it is retired all the same, and phones with that app cannot register",
    )
}
