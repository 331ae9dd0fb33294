//! The tables whose rows change and go: what is asked of each, and where its rows are stored.

use std::collections::{HashMap, HashSet};

use super::{
    ImportError, Importer, devices, e2ee_devices, realms,
    reason::{Judged, Reason, Refusal},
    row::SourceRow,
    schema::{Schema, Selection},
    servers,
};
use crate::{
    clock::Timestamp,
    registry::{Fate, Imported, Incoming, SeenRow, SourceTable, Storing},
};

/// Servers before their realms, and both before their devices.
pub(super) const ORDER: [SourceTable; 4] =
    [SourceTable::Servers, SourceTable::Realms, SourceTable::Devices, SourceTable::E2eeDevices];

/// Rows that were looked at before, by their keys.
pub(super) type Seen = HashMap<i64, SeenRow>;

/// What is asked of a table; nothing where the source has none.
pub(super) fn select(table: SourceTable, schema: &Schema) -> Option<Selection> {
    match table {
        SourceTable::Servers => servers::select(schema),
        SourceTable::Realms => realms::select(schema),
        SourceTable::Devices => devices::select(schema),
        SourceTable::E2eeDevices => e2ee_devices::select(schema),
    }
}

impl Importer {
    /// Stores rows of a table, or compares them; says what became of each. Reasons go to the report for those rows
    /// that are news.
    pub(super) async fn take(
        &mut self,
        table: SourceTable,
        mut rows: Vec<SourceRow>,
        taken_at: Timestamp,
        storing: Storing,
        (seen, news): (&Seen, Option<&HashSet<i64>>),
    ) -> Result<Vec<Imported>, ImportError> {
        let (apps, directory) = (&self.apps, &self.directory);
        let mut refusals = Vec::new();
        let imported = match table {
            SourceTable::Servers => {
                let rows = rows.iter_mut().map(|row| (row.id, row.version, servers::judge(row)));
                let batch = incoming(rows, seen, &mut refusals);
                self.registry.import_servers(&batch, storing).await?
            }
            SourceTable::Realms => {
                let judged = |row: &SourceRow| realms::judge(row, directory);
                let batch = incoming(
                    rows.iter().map(|row| (row.id, row.version, judged(row))),
                    seen,
                    &mut refusals,
                );
                self.registry.import_realms(&batch, storing).await?
            }
            SourceTable::Devices => {
                let judged = |row: &SourceRow| devices::judge(row, directory, apps, taken_at);
                let batch = incoming(
                    rows.iter().map(|row| (row.id, row.version, judged(row))),
                    seen,
                    &mut refusals,
                );
                self.registry.import_devices(&batch, storing).await?
            }
            SourceTable::E2eeDevices => {
                let judged = |row: &SourceRow| e2ee_devices::judge(row, directory, apps);
                let batch = incoming(
                    rows.iter().map(|row| (row.id, row.version, judged(row))),
                    seen,
                    &mut refusals,
                );
                self.registry.import_e2ee_devices(&batch, storing).await?
            }
        };
        for one in &imported {
            let reason = match one.fate {
                Fate::OtherServer => Reason::OtherServer,
                Fate::NumberTaken => Reason::NumberTaken,
                _ => continue,
            };
            refusals.push((one.source_id, Refusal::from(reason)));
        }
        match table {
            SourceTable::Servers => {
                imported.iter().for_each(|one| self.directory.add_server(one, storing));
            }
            SourceTable::Realms => {
                let servers = rows.iter().map(|row| (row.id, row.number("server_id"))).collect();
                let servers: HashMap<_, _> = servers;
                for one in &imported {
                    let server = servers.get(&one.source_id).copied().flatten();
                    self.directory.add_realm(one, server, storing);
                }
            }
            SourceTable::Devices | SourceTable::E2eeDevices => {}
        }
        for (source_id, refusal) in refusals {
            if news.is_none_or(|news| news.contains(&source_id)) {
                self.refuse(table, source_id, &refusal)?;
            }
        }
        Ok(imported)
    }

    pub(super) fn refuse(
        &mut self,
        table: SourceTable,
        source_id: i64,
        refusal: &Refusal,
    ) -> Result<(), ImportError> {
        let numbers = self.outcome.tables.entry(table).or_default();
        *numbers.reasons.entry(refusal.reason).or_default() += 1;
        Ok(self.report.tell(table, source_id, refusal)?)
    }
}

fn incoming<T>(
    rows: impl Iterator<Item = (i64, i64, Judged<T>)>,
    seen: &Seen,
    refusals: &mut Vec<(i64, Refusal)>,
) -> Vec<Incoming<T>> {
    let incoming = |(source_id, version, judged): (i64, i64, Judged<T>)| {
        refusals.extend(judged.refusal.map(|refusal| (source_id, refusal)));
        let before = seen.get(&source_id).and_then(|seen| seen.target_id);
        Incoming { source_id, version, before, row: judged.row }
    };
    rows.map(incoming).collect()
}
