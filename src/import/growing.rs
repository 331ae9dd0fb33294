//! Tables of the source that only grow: counts, and events on realms.

use tokio_util::sync::CancellationToken;

use super::{
    ImportError, Importer, Step,
    pass::{BATCH, Thoroughness},
    row::SourceRow,
    schema::{Schema, Selection},
    source::Snapshot,
};
use crate::{
    domain::{
        json_object::JsonObject,
        statistics::{Count, CountProperty, RealmAuditRow, RealmEvent, user_count},
    },
    registry::{GrowingTable, ImportedCount, ImportedEvent, ImportedPushCount, Storing},
};

/// Rows get their keys before they are there, so some may come late; what is stored already is passed over.
const STEP_BACK: i64 = 10_000;

/// What the bouncer itself counts; these rows have no number of their server.
const RECEIVED: &str = "mobile_pushes_received::day";
const FORWARDED: &str = "mobile_pushes_forwarded::day";

/// They are counted up for a day, and may be written a while after it.
const STILL_COUNTED: &str = "t.remote_id IS NULL AND t.end_time > now() - interval '2 days'";

/// What is kept of an event, in characters.
const EXTRA_DATA: usize = 64 * 1024;

const TABLES: [(GrowingTable, &str); 3] = [
    (GrowingTable::InstallationCounts, "zilencer_remoteinstallationcount"),
    (GrowingTable::RealmCounts, "zilencer_remoterealmcount"),
    (GrowingTable::RealmEvents, "zilencer_remoterealmauditlog"),
];

fn select(table: GrowingTable, name: &str, schema: &Schema) -> Option<Selection> {
    let selection = Selection::of(schema, name, "id")?.short(
        schema,
        name,
        &["server_id", "remote_id", "realm_id", "remote_realm_id"],
    );
    Some(match table {
        GrowingTable::InstallationCounts | GrowingTable::RealmCounts => selection
            .short(schema, name, &["property", "subgroup", "value"])
            .moments(schema, name, &["end_time"]),
        GrowingTable::RealmEvents => selection
            .columns(schema, name, &[("extra_data", EXTRA_DATA)])
            .short(schema, name, &["event_type", "backfilled"])
            .moments(schema, name, &["event_time"]),
    })
}

fn word(table: GrowingTable) -> &'static str {
    match table {
        GrowingTable::InstallationCounts => "counts of servers",
        GrowingTable::RealmCounts => "counts of realms",
        GrowingTable::RealmEvents => "events on realms",
    }
}

impl Importer {
    /// Reads on in all of them; false when it was stopped.
    pub(super) async fn grow(
        &mut self,
        snapshot: &mut Snapshot,
        thoroughness: Thoroughness,
        stop: &CancellationToken,
        tell: &mut impl FnMut(Step),
    ) -> Result<bool, ImportError> {
        for (table, name) in TABLES {
            let Some(selection) = select(table, name, &snapshot.schema) else { continue };
            let position = self.registry.import_position(table).await?;
            let mut above = position.saturating_sub(STEP_BACK);
            let highest = snapshot.number(selection.highest_key()).await?;
            let mut done = 0;
            if highest > position {
                loop {
                    let between = (above, i64::MAX);
                    let rows = snapshot.rows_between(&selection, between, BATCH).await?;
                    let Some(last) = rows.last().map(|row| row.id) else { break };
                    self.store_grown(table, &rows, Some(last.max(position))).await?;
                    (above, done) = (last, done + rows.len() as u64);
                    tell(Step { table: word(table), done, total: 0 });
                    if stop.is_cancelled() {
                        return Ok(false);
                    }
                }
            }
            let has_numbers = snapshot.schema.has(name, "remote_id");
            if thoroughness == Thoroughness::Whole
                && table != GrowingTable::RealmEvents
                && position > 0
                && has_numbers
            {
                let selection = select(table, name, &snapshot.schema);
                let Some(selection) = selection.map(|selection| selection.only(STILL_COUNTED))
                else {
                    continue;
                };
                let mut above = i64::MIN;
                loop {
                    let between = (above, i64::MAX);
                    let rows = snapshot.rows_between(&selection, between, BATCH).await?;
                    let Some(last) = rows.last().map(|row| row.id) else { break };
                    self.store_grown(table, &rows, None).await?;
                    above = last;
                }
            }
            self.outcome.grown.insert(word(table), done);
        }
        Ok(true)
    }

    async fn store_grown(
        &self,
        table: GrowingTable,
        rows: &[SourceRow],
        last_id: Option<i64>,
    ) -> Result<(), ImportError> {
        if self.storing == Storing::No {
            return Ok(());
        }
        if let (GrowingTable::RealmEvents, Some(last_id)) = (table, last_id) {
            let events: Vec<_> = rows.iter().filter_map(|row| self.event(row)).collect();
            return Ok(self.registry.import_events(&events, last_id).await?);
        }
        let is_of_realms = table == GrowingTable::RealmCounts;
        let counts: Vec<_> = rows.iter().filter_map(|row| self.count(row, is_of_realms)).collect();
        let pushes: Vec<_> =
            rows.iter().filter_map(|row| self.push_count(row, is_of_realms)).collect();
        Ok(self.registry.import_counts(table, &counts, &pushes, last_id).await?)
    }

    /// What a server uploaded, where it is of a kind that is kept.
    fn count(&self, row: &SourceRow, is_of_realm: bool) -> Option<ImportedCount> {
        let server = self.directory.server(row.number("server_id"))?;
        let subgroup = row.text("subgroup").unwrap_or_default();
        let realm_id = if is_of_realm { Some(row.number("realm_id")?) } else { None };
        Some(ImportedCount {
            server_id: server.id,
            realm_id,
            remote_realm_id: self.realm_of(row),
            count: Count {
                remote_id: row.number("remote_id")?,
                property: CountProperty::from_name(row.text("property")?)?,
                subgroup: (subgroup.chars().count() <= 16).then(|| subgroup.into())?,
                end_time: row.moment("end_time")?,
                value: row.number("value")?,
            },
        })
    }

    /// What the bouncer counted.
    fn push_count(&self, row: &SourceRow, is_of_realm: bool) -> Option<ImportedPushCount> {
        if row.text("remote_id").is_some() {
            return None;
        }
        let is_forwarded = match row.text("property")? {
            RECEIVED => false,
            FORWARDED => true,
            _ => return None,
        };
        let server = self.directory.server(row.number("server_id"))?;
        let remote_realm_id = if is_of_realm { self.realm_of(row)? } else { 0 };
        let end_time = row.moment("end_time")?;
        let value = row.number("value").filter(|value| *value >= 0)?;
        Some(ImportedPushCount {
            server_id: server.id,
            remote_realm_id,
            end_time,
            is_forwarded,
            value,
        })
    }

    fn event(&self, row: &SourceRow) -> Option<ImportedEvent> {
        let server = self.directory.server(row.number("server_id"))?;
        let extra_data = row.text("extra_data").unwrap_or("{}");
        // What is cut is no object any more.
        let object = JsonObject::parse(extra_data).ok();
        let user_count = object.as_ref().and_then(|object| user_count(object).ok()).flatten();
        let extra_data = if object.is_some() { extra_data } else { "{}" };
        Some(ImportedEvent {
            server_id: server.id,
            remote_realm_id: self.realm_of(row),
            event: RealmAuditRow {
                remote_id: row.number("remote_id")?,
                realm_id: row.number("realm_id")?,
                event: RealmEvent::from_number(row.number("event_type")?)?,
                event_time: row.moment("event_time")?,
                backfilled: row.flag("backfilled"),
                extra_data: extra_data.into(),
                user_count,
            },
        })
    }

    /// Our key of the realm that a row names.
    fn realm_of(&self, row: &SourceRow) -> Option<i64> {
        self.directory.realm(row.number("remote_realm_id")).map(|realm| realm.id)
    }
}
