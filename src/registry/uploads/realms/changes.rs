//! What an upload changes about a known realm, to be noted.

use entities::remote_realms;
use serde_json::{Value, json};

use crate::{
    domain::remote_realm::RealmDescription,
    registry::audit_log::{AuditEntry, AuditEvent},
};

/// Zulip's names of what may change; the day it was created never does, and of
/// its number nobody is told.
const ATTRIBUTES: [&str; 6] = [
    "host",
    "org_type",
    "name",
    "authentication_methods",
    "realm_deactivated",
    "is_system_bot_realm",
];

/// What happened to a known realm, one event for each attribute.
pub(super) fn of(row: &remote_realms::Model, realm: &RealmDescription) -> Vec<AuditEntry> {
    let is_same = row.host == realm.host
        && row.org_type == realm.org_type
        && row.name == realm.name
        && row.authentication_methods == realm.authentication_methods
        && row.deactivated == realm.deactivated
        && row.is_system_bot_realm == realm.is_system_bot_realm
        && !row.locally_deleted;
    if is_same {
        return Vec::new();
    }
    // Stored as JSON.
    let methods = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let old = [
        json!(row.host),
        json!(row.org_type),
        json!(row.name),
        methods(&row.authentication_methods),
        json!(row.deactivated),
        json!(row.is_system_bot_realm),
    ];
    let new = [
        json!(realm.host),
        json!(realm.org_type),
        json!(realm.name),
        methods(&realm.authentication_methods),
        json!(realm.deactivated),
        json!(realm.is_system_bot_realm),
    ];
    let event = |event, extra_data| AuditEntry {
        server_id: row.server_id,
        remote_realm_id: Some(row.id),
        event,
        extra_data,
    };
    let updated = ATTRIBUTES.iter().zip(old.iter().zip(&new)).filter(|(_, (old, new))| old != new);
    let updated = updated.map(|(name, (old, new))| {
        let values = json!({"attr_name": name, "old_value": old, "new_value": new});
        event(AuditEvent::RealmValueUpdated, values)
    });
    let restored = row.locally_deleted.then(|| event(AuditEvent::RealmRestored, json!({})));
    updated.chain(restored).collect()
}
