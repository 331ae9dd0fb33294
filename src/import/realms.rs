//! Realms of the source.

use super::{
    directory::Directory,
    plans,
    reason::{Judged, Reason, Refusal},
    row::SourceRow,
    schema::{Schema, Selection},
};
use crate::{domain::remote_realm::RealmDescription, registry::ImportedRealm};

const REALMS: &str = "zilencer_remoterealm";

/// The longest texts that are stored, in characters; as in uploads.
const HOST: usize = 260;
const NAME: usize = 400;
const METHODS: usize = 10_000;

/// Tables that know the number of a realm on its own server, which the table of realms does not.
const NUMBERED: [&str; 2] = ["zilencer_remoterealmcount", "zilencer_remoterealmauditlog"];

pub(super) fn select(schema: &Schema) -> Option<Selection> {
    let selection = Selection::of(schema, REALMS, "id")?
        .version(&schema.moment("t", REALMS, "last_updated"))
        .columns(
            schema,
            REALMS,
            &[("host", HOST), ("name", NAME), ("authentication_methods", METHODS)],
        )
        .short(
            schema,
            REALMS,
            &[
                "uuid",
                "server_id",
                "org_type",
                "is_system_bot_realm",
                "realm_deactivated",
                "realm_locally_deleted",
                "plan_type",
            ],
        )
        .moments(schema, REALMS, &["realm_date_created", "last_updated", "last_request_datetime"])
        .field("number", number(schema));
    Some(plans::select(selection, schema, "remote_realm_id"))
}

fn number(schema: &Schema) -> String {
    let known = NUMBERED
        .iter()
        .filter(|table| schema.has(table, "remote_realm_id") && schema.has(table, "realm_id"));
    let known = known.map(|table| {
        format!(
            "(SELECT n.realm_id::text FROM {} n WHERE n.remote_realm_id = t.id
              AND n.realm_id IS NOT NULL LIMIT 1)",
            schema.table(table)
        )
    });
    let known: Vec<String> = known.chain(["NULL::text".to_owned()]).collect();
    format!("coalesce({})", known.join(", "))
}

pub(super) fn judge(row: &SourceRow, directory: &Directory) -> Judged<ImportedRealm> {
    Judged::from(realm(row, directory))
}

fn realm(row: &SourceRow, directory: &Directory) -> Result<ImportedRealm, Refusal> {
    let uuid = row.uuid("uuid").ok_or(Reason::InvalidUuid)?;
    let about = |reason| Refusal::about(reason, uuid.to_string());
    let server = directory.server(row.number("server_id"));
    let server = server.ok_or_else(|| about(Reason::ServerMissing))?;
    let cut = |name, longest| -> String {
        row.text(name).unwrap_or_default().chars().take(longest).collect()
    };
    let methods = row.text("authentication_methods").unwrap_or("{}");
    let is_object = serde_json::from_str::<serde_json::Map<_, _>>(methods).is_ok();
    Ok(ImportedRealm {
        server_id: server.id,
        is_known_better: server.is_newer_here,
        description: RealmDescription {
            uuid,
            realm_id: row.number("number").unwrap_or(0),
            host: cut("host", HOST),
            name: cut("name", NAME),
            org_type: row.small_number("org_type").unwrap_or(0),
            authentication_methods: if is_object { methods } else { "{}" }.to_owned(),
            is_system_bot_realm: row.flag("is_system_bot_realm"),
            deactivated: row.flag("realm_deactivated"),
            date_created: row.moment("realm_date_created").unwrap_or_default(),
        },
        locally_deleted: row.flag("realm_locally_deleted"),
        created_at: row.moment("last_updated").unwrap_or_default(),
        last_request_at: row.moment("last_request_datetime"),
        plan: plans::plan(row),
    })
}
