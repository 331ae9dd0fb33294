//! Devices of the source that receive notifications in the clear.

use std::{collections::HashSet, time::Duration};

use super::{
    directory::Directory,
    reason::{Judged, Reason, Refusal},
    row::SourceRow,
    schema::{Schema, Selection},
};
use crate::{
    clock::Timestamp,
    domain::{
        device::{AppId, DeviceToken, MAX_TOKEN_CHARACTERS, Provider},
        user::User,
    },
    registry::ImportedDevice,
};

pub(super) const DEVICES: &str = "zilencer_remotepushdevicetoken";

/// The longest bundle id that is looked at, in characters; Apple's are shorter.
pub(super) const LONGEST_APP: usize = 255;

/// Clocks are not further ahead.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn select(schema: &Schema) -> Option<Selection> {
    let selection = Selection::of(schema, DEVICES, "id")?
        .version(&schema.moment("t", DEVICES, "last_updated"))
        .columns(schema, DEVICES, &[("token", MAX_TOKEN_CHARACTERS), ("ios_app_id", LONGEST_APP)])
        .short(schema, DEVICES, &["server_id", "user_id", "user_uuid", "kind", "remote_realm_id"])
        .moments(schema, DEVICES, &["last_updated"]);
    Some(selection)
}

pub(super) fn judge(
    row: &SourceRow,
    directory: &Directory,
    apps: &HashSet<String>,
    taken_at: Timestamp,
) -> Judged<ImportedDevice> {
    Judged::from(device(row, directory, apps, taken_at))
}

fn device(
    row: &SourceRow,
    directory: &Directory,
    apps: &HashSet<String>,
    taken_at: Timestamp,
) -> Result<ImportedDevice, Refusal> {
    let source_server = row.number("server_id");
    let server = directory.server(source_server).ok_or(Reason::ServerMissing)?;
    let user = User::from_parts(row.number("user_id"), row.uuid("user_uuid"));
    let user = user.ok_or(Reason::NoUser)?;
    let provider = row.number("kind").and_then(Provider::from_token_kind);
    let provider = provider.ok_or(Reason::UnknownKind)?;
    let (token, app_id) = token_and_app(row, provider, apps)?;
    let realm = directory.realm(row.number("remote_realm_id"));
    let realm = realm.filter(|realm| Some(realm.source_server) == source_server);
    let registered_at = row.moment("last_updated").unwrap_or_default();
    Ok(ImportedDevice {
        server_id: server.id,
        user,
        provider,
        token,
        app_id,
        remote_realm_id: realm.map(|realm| realm.id),
        // A moment that cannot be must not make it immortal.
        registered_at: if registered_at > taken_at + AHEAD {
            Timestamp::default()
        } else {
            registered_at
        },
    })
}

/// What both kinds of devices have; none of it is told when it is not right.
pub(super) fn token_and_app(
    row: &SourceRow,
    provider: Provider,
    apps: &HashSet<String>,
) -> Result<(DeviceToken, Option<AppId>), Refusal> {
    let token = row.text("token").unwrap_or_default();
    let token = DeviceToken::parse(provider, token).map_err(|_| Reason::InvalidToken)?;
    let app = row.text("ios_app_id").filter(|app| !app.is_empty());
    if provider == Provider::Fcm {
        // It says nothing there, whatever it is.
        return Ok((token, app.filter(|app| is_short(app)).and_then(AppId::parse)));
    }
    let app = app.ok_or(Reason::NoAppId)?;
    if !is_short(app) {
        return Err(Reason::InvalidAppId.into());
    }
    let app_id = AppId::parse(app).ok_or(Reason::InvalidAppId)?;
    if !apps.contains(app) {
        return Err(Refusal::about(Reason::UnknownApp, app));
    }
    Ok((token, Some(app_id)))
}

fn is_short(app: &str) -> bool {
    app.chars().count() <= LONGEST_APP
}
