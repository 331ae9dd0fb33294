//! Servers of the source.

use super::{
    plans,
    reason::{Judged, Reason, Refusal},
    row::SourceRow,
    schema::{SERVERS, Schema, Selection},
};
use crate::{
    clock::Timestamp,
    domain::{hostname::Hostname, remote_server::KeyHash},
    registry::ImportedServer,
};

/// The longest texts that are stored, in characters.
const KEY: usize = 64;
const HOSTNAME: usize = 128;
const EMAIL: usize = 254;
const VERSION: usize = 128;

const EVENTS: &str = "zilencer_remotezulipserverauditlog";

/// Zulip's number for "a server registered".
const CREATED: i32 = 10215;

pub(super) fn select(schema: &Schema) -> Option<Selection> {
    let selection = Selection::of(schema, SERVERS, "id")?
        .version(&schema.moment("t", SERVERS, "last_updated"))
        .columns(
            schema,
            SERVERS,
            &[
                ("api_key", KEY),
                ("hostname", HOSTNAME),
                ("contact_email", EMAIL),
                ("last_version", VERSION),
                ("last_merge_base", VERSION),
            ],
        )
        .short(schema, SERVERS, &["uuid", "last_api_feature_level", "deactivated", "plan_type"])
        .moments(
            schema,
            SERVERS,
            &["last_updated", "last_request_datetime", "last_audit_log_update"],
        )
        .field("created", created(schema))
        .field("is_duplicate", is_duplicate(schema));
    Some(plans::select(selection, schema, "remote_server_id"))
}

fn created(schema: &Schema) -> String {
    if !schema.has(EVENTS, "server_id") || !schema.has(EVENTS, "event_type") {
        return "NULL::text".to_owned();
    }
    format!(
        "(SELECT min({})::text FROM {} e WHERE e.server_id = t.id AND e.event_type = {CREATED})",
        schema.moment("e", EVENTS, "event_time"),
        schema.table(EVENTS)
    )
}

/// Whether another active server of the same host name made a request later; of equals the newer one counts.
fn is_duplicate(schema: &Schema) -> String {
    if !["hostname", "deactivated"].iter().all(|column| schema.has(SERVERS, column)) {
        return "'false'".to_owned();
    }
    let request = schema.moment("o", SERVERS, "last_request_datetime");
    let heard = format!("coalesce({request}, {}, 0)", schema.moment("o", SERVERS, "last_updated"));
    // It does not depend on the row, so that it is found once and not for each.
    format!(
        "(t.deactivated::text = 'false' AND t.id NOT IN (
             SELECT DISTINCT ON (lower(o.hostname)) o.id FROM {table} o
             WHERE o.deactivated::text = 'false'
             ORDER BY lower(o.hostname), {heard} DESC, o.id DESC))::text",
        table = schema.table(SERVERS),
    )
}

/// A server as we store it. Its key is hashed here, and nowhere else.
pub(super) fn judge(row: &mut SourceRow) -> Judged<ImportedServer> {
    let key = row.take_secret("api_key");
    let mut judged = Judged::from(server(row, key.as_deref().map(String::as_str)));
    if let Some(server) = &mut judged.row
        && row.flag("is_duplicate")
    {
        server.deactivated = true;
        let detail = format!("{} {}", server.hostname, server.uuid);
        judged.refusal = Some(Refusal::about(Reason::DuplicateHostname, detail));
    }
    judged
}

fn server(row: &SourceRow, key: Option<&str>) -> Result<ImportedServer, Refusal> {
    let uuid = row.uuid("uuid").ok_or(Reason::InvalidUuid)?;
    let about = |reason| Refusal::about(reason, uuid.to_string());
    let key = key.filter(|key| !key.is_empty()).ok_or_else(|| about(Reason::NoKey))?;
    let hostname = row.text("hostname").unwrap_or_default();
    let contact_email = row.text("contact_email").unwrap_or_default();
    let is_within = |text: &str, longest| text.chars().count() <= longest;
    if !is_within(key, KEY) || !is_within(hostname, HOSTNAME) || !is_within(contact_email, EMAIL) {
        return Err(about(Reason::TooLong));
    }
    let hostname = Hostname::parse(hostname).map_err(|_| about(Reason::InvalidHostname))?;
    let hostname = hostname.as_str().to_owned();
    // In lower case some texts are longer.
    if !is_within(&hostname, HOSTNAME) {
        return Err(about(Reason::TooLong));
    }
    // What a server says of its version is cut, as in its uploads.
    let said = |name| row.text(name).map(|text| text.chars().take(VERSION).collect());
    let updated_at = row.moment("last_updated").unwrap_or_default();
    Ok(ImportedServer {
        uuid,
        key: KeyHash::of(key),
        hostname,
        contact_email: contact_email.to_owned(),
        version: said("last_version"),
        merge_base: said("last_merge_base"),
        api_feature_level: row.small_number("last_api_feature_level"),
        deactivated: row.flag("deactivated"),
        created_at: row.moment("created").unwrap_or(updated_at).max(Timestamp::default()),
        updated_at,
        last_request_at: row.moment("last_request_datetime"),
        plan: plans::plan(row),
        audit_log_updated_at: row.moment("last_audit_log_update"),
    })
}
