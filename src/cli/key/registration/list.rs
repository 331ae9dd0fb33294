//! `push-bouncer key registration list`: all keys and how much they are used.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    cli::{database::DatabaseArguments, error::CommandResult, moment::utc, output::Output},
    push_registration::RegistrationKey,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let output = arguments.output;
    arguments.database.work(async move |config, registry| {
        let keys = super::keys(&config, registry)?.list().await?;
        let values: Vec<Value> = keys.iter().map(value).collect();
        let code = output.say(table(&keys), &json!({"keys": values}))?;
        if keys.is_empty() {
            output.talk("There is no key yet: `push-bouncer key registration create` makes one.");
        }
        Ok(code)
    })
}

fn value(key: &RegistrationKey) -> Value {
    json!({
        "public_key": key.public_key,
        "created_at": utc(key.created_at),
        "retired_at": key.retired_at.map(utc),
        "uses_30_days": key.uses,
        "state": state(key),
    })
}

fn state(key: &RegistrationKey) -> &'static str {
    if key.retired_at.is_some() { "retired" } else { "active" }
}

fn table(keys: &[RegistrationKey]) -> String {
    let mut text = format!("{:44}  {:20}  {:>8}  STATE", "PUBLIC KEY", "CREATED", "USES 30D");
    for key in keys {
        let (created, state) = (utc(key.created_at), state(key));
        write!(text, "\n{:44}  {created:20}  {:>8}  {state}", key.public_key, key.uses)
            .expect("writing a text into memory does not fail");
    }
    text
}
