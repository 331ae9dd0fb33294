//! Devices of the source that receive encrypted notifications.

use std::collections::HashSet;

use super::{
    devices::{LONGEST_APP, token_and_app},
    directory::Directory,
    reason::{Judged, Reason, Refusal},
    row::SourceRow,
    schema::{Schema, Selection},
};
use crate::{
    domain::{
        device::{MAX_TOKEN_CHARACTERS, Provider},
        e2ee_device::{E2eeIdentity, TokenId},
    },
    registry::ImportedE2eeDevice,
};

pub(super) const E2EE_DEVICES: &str = "zilencer_remotepushdevice";

/// What the key is called, in newer and in older versions.
pub(super) fn key(schema: &Schema) -> &'static str {
    if schema.has(E2EE_DEVICES, "device_id") { "device_id" } else { "id" }
}

pub(super) fn select(schema: &Schema) -> Option<Selection> {
    let selection = Selection::of(schema, E2EE_DEVICES, key(schema))?
        .version(&schema.moment("t", E2EE_DEVICES, "expired_time"))
        .columns(
            schema,
            E2EE_DEVICES,
            &[("token", MAX_TOKEN_CHARACTERS), ("ios_app_id", LONGEST_APP)],
        )
        .short(
            schema,
            E2EE_DEVICES,
            &["realm_id", "remote_realm_id", "token_kind", "token_id", "push_account_id"],
        )
        .moments(schema, E2EE_DEVICES, &["expired_time"]);
    Some(selection)
}

pub(super) fn judge(
    row: &SourceRow,
    directory: &Directory,
    apps: &HashSet<String>,
) -> Judged<ImportedE2eeDevice> {
    Judged::from(device(row, directory, apps))
}

fn device(
    row: &SourceRow,
    directory: &Directory,
    apps: &HashSet<String>,
) -> Result<ImportedE2eeDevice, Refusal> {
    let source_realm = row.number("remote_realm_id");
    let realm = match (directory.realm(source_realm), source_realm) {
        (Some(realm), _) => realm,
        (None, Some(_)) => return Err(Reason::RealmMissing.into()),
        (None, None) => return Err(Reason::LocalRealm.into()),
    };
    let server = directory.server(Some(realm.source_server)).ok_or(Reason::ServerMissing)?;
    let provider = match row.text("token_kind") {
        Some("apns") => Provider::Apns,
        Some("fcm") => Provider::Fcm,
        _ => return Err(Reason::UnknownKind.into()),
    };
    let identity = match (row.number("token_id"), row.number("push_account_id")) {
        (Some(id), _) => E2eeIdentity::TokenId(TokenId::from_stored(id)),
        (None, Some(id)) => E2eeIdentity::PushAccount(id),
        (None, None) => return Err(Reason::NoName.into()),
    };
    let (token, app_id) = token_and_app(row, provider, apps)?;
    Ok(ImportedE2eeDevice {
        id: row.id,
        server_id: server.id,
        remote_realm_id: realm.id,
        identity,
        provider,
        token,
        app_id,
        expired_at: row.moment("expired_time"),
    })
}
