//! `push-bouncer key registration create`: one key more.

use std::io::{self, Read as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    cli::{
        database::DatabaseArguments,
        error::{CommandError, CommandResult, exit},
        output::Output,
    },
    push_registration::AddedKey,
};

/// A key is 44 characters; more than this is something else.
const MAX_INPUT_BYTES: u64 = 1024;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Take over a private key, base64, from standard input: the app has its public key already
    #[arg(long)]
    import_stdin: bool,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    pub(super) output: Output,
}

/// A private key. It is never printed.
type PrivateKey = Zeroizing<[u8; 32]>;

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let output = arguments.output;
    // Read before anything is opened: a pipe that says nothing holds up nobody else.
    let imported = if arguments.import_stdin { Some(read()?) } else { None };
    arguments.database.work(async move |config, registry| {
        let keys = super::keys(&config, registry)?;
        let added = match imported {
            Some(key) => keys.add(&key).await?,
            None => AddedKey::Added(keys.create().await?),
        };
        let (key, change, said) = match &added {
            AddedKey::Added(key) => (key, "added", "This public key goes into the app's build."),
            AddedKey::Revived(key) => (key, "revived", "This key was there, and is used again."),
            AddedKey::Known(key) => (key, "none", "This key was there already."),
        };
        let code = output.say(key, &json!({"public_key": key, "change": change}))?;
        output.talk(said);
        output.talk(
            "A running bouncer takes what phones seal with it within a second. Its private half \
             is in the database, under `secret_key_file`: keep copies of both.",
        );
        Ok(code)
    })
}

/// The private key on standard input.
fn read() -> Result<PrivateKey, CommandError> {
    let none = || {
        let text = "standard input is not a private key: 32 bytes in base64";
        CommandError::told(exit::REFUSED, text.to_owned())
    };
    let mut text = Zeroizing::new(String::with_capacity(1024));
    io::stdin().take(MAX_INPUT_BYTES).read_to_string(&mut text).map_err(|_| none())?;
    let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| none())?;
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| none())?;
    Ok(Zeroizing::new(key))
}
