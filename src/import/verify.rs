//! Comparing what is here with the source, without changing either.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    ImportError, Importer,
    pass::BATCH,
    schema::Selection,
    source::Snapshot,
    tables::{self, ORDER},
};
use crate::registry::{Fate, Imported, SourceTable, Storing};

/// So many rows of a large table are compared, at random.
const SAMPLE: usize = 1000;

/// So many differences are told.
const TOLD: usize = 100;

/// A row that is not here as it is at the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its table.
    pub table: SourceTable,
    /// Its key at the source.
    pub source_id: i64,
    /// What is different.
    pub what: &'static str,
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// By table: rows of the source, those of them that are here, and how many were compared field by field.
    pub tables: BTreeMap<SourceTable, Compared>,
    /// What is different; the first hundred.
    pub differences: Vec<Difference>,
    /// How many are different.
    pub different: u64,
}

/// Numbers of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows of the source.
    pub at_source: u64,
    /// Those of them that are here.
    pub taken: u64,
    /// Those that were compared field by field.
    pub compared: u64,
}

impl Verified {
    /// Whether nothing is different.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.different == 0
    }

    fn note(&mut self, table: SourceTable, source_id: i64, what: &'static str) {
        self.different += 1;
        if self.differences.len() < TOLD {
            self.differences.push(Difference { table, source_id, what });
        }
    }
}

impl Importer {
    /// Compares keys of all rows, all servers and realms, and a thousand devices of each kind.
    ///
    /// # Errors
    ///
    /// When the source or our database fails.
    pub async fn verify(&mut self) -> Result<Verified, ImportError> {
        let mut snapshot = self.source.snapshot().await?;
        let mut verified = Verified::default();
        let outcome = std::mem::take(&mut self.outcome);
        let compared = self.compare(&mut snapshot, &mut verified).await;
        self.outcome = outcome;
        snapshot.close().await;
        compared.map(|()| verified)
    }

    async fn compare(
        &mut self,
        snapshot: &mut Snapshot,
        verified: &mut Verified,
    ) -> Result<(), ImportError> {
        for table in ORDER {
            let Some(selection) = tables::select(table, &snapshot.schema) else { continue };
            let at_source = snapshot.number(selection.count()).await?;
            let at_source = usize::try_from(at_source).unwrap_or(0);
            let (_, taken) = self.registry.count_seen_rows(table).await?;
            let numbers = verified.tables.entry(table).or_default();
            (numbers.at_source, numbers.taken) = (at_source as u64, taken);
            self.compare_keys(table, &selection, snapshot, verified).await?;
            let is_small = matches!(table, SourceTable::Servers | SourceTable::Realms);
            if is_small || at_source <= SAMPLE {
                self.compare_all(table, &selection, snapshot, verified).await?;
            } else {
                self.compare_some(table, &selection, snapshot, verified).await?;
            }
        }
        Ok(())
    }

    /// Finds rows that were not looked at, or went, or have another version.
    async fn compare_keys(
        &self,
        table: SourceTable,
        selection: &Selection,
        snapshot: &mut Snapshot,
        verified: &mut Verified,
    ) -> Result<(), ImportError> {
        let mut above = i64::MIN;
        loop {
            let versions = snapshot.versions(selection, above, BATCH).await?;
            let last = versions.last().map(|(key, _)| *key);
            let seen = self.registry.seen_rows(table, above, last.unwrap_or(i64::MAX)).await?;
            let seen: HashMap<i64, i64> =
                seen.into_iter().map(|row| (row.source_id, row.version)).collect();
            let there: HashSet<i64> = versions.iter().map(|(key, _)| *key).collect();
            for key in seen.keys().filter(|key| !there.contains(key)) {
                verified.note(table, *key, "gone at the source");
            }
            for (key, version) in &versions {
                match seen.get(key) {
                    None => verified.note(table, *key, "not imported"),
                    Some(known) if known != version => {
                        verified.note(table, *key, "changed at the source since");
                    }
                    Some(_) => {}
                }
            }
            match last {
                Some(last) => above = last,
                None => return Ok(()),
            }
        }
    }

    async fn compare_all(
        &mut self,
        table: SourceTable,
        selection: &Selection,
        snapshot: &mut Snapshot,
        verified: &mut Verified,
    ) -> Result<(), ImportError> {
        let mut above = i64::MIN;
        loop {
            let rows = snapshot.rows_between(selection, (above, i64::MAX), BATCH).await?;
            let Some(last) = rows.last().map(|row| row.id) else { return Ok(()) };
            let seen = self.registry.seen_rows(table, above, last).await?;
            let seen = seen.into_iter().map(|row| (row.source_id, row)).collect();
            let taken_at = snapshot.taken_at;
            let imported = self.take(table, rows, taken_at, Storing::No, (&seen, None)).await?;
            judge(table, &imported, verified);
            above = last;
        }
    }

    async fn compare_some(
        &mut self,
        table: SourceTable,
        selection: &Selection,
        snapshot: &mut Snapshot,
        verified: &mut Verified,
    ) -> Result<(), ImportError> {
        let highest = snapshot.number(selection.highest_key()).await?;
        let lowest = snapshot.versions(selection, i64::MIN, 1).await?;
        let lowest = lowest.first().map_or(0, |(key, _)| *key);
        let range = highest.saturating_sub(lowest).unsigned_abs().saturating_add(1);
        // Some are met twice where keys have gaps.
        let starts: Vec<i64> = (0..2 * SAMPLE)
            .map(|_| {
                lowest.saturating_add_unsigned(u64::from_le_bytes(self.random.bytes()) % range)
            })
            .collect();
        let mut keys = snapshot.keys_from(selection, &starts).await?;
        keys.truncate(SAMPLE);
        let rows = snapshot.rows_with(selection, &keys).await?;
        let seen = self.registry.seen_rows_with(table, &keys).await?;
        let seen = seen.into_iter().map(|row| (row.source_id, row)).collect();
        let taken_at = snapshot.taken_at;
        let imported = self.take(table, rows, taken_at, Storing::No, (&seen, None)).await?;
        judge(table, &imported, verified);
        Ok(())
    }
}

fn judge(table: SourceTable, imported: &[Imported], verified: &mut Verified) {
    verified.tables.entry(table).or_default().compared += imported.len() as u64;
    for one in imported {
        match one.fate {
            Fate::New => verified.note(table, one.source_id, "not here"),
            Fate::Changed => verified.note(table, one.source_id, "different here"),
            // What is newer here, or was removed here, is as it is to be; the rest is in the report.
            Fate::Same
            | Fate::NewerHere
            | Fate::RemovedHere
            | Fate::OtherServer
            | Fate::NumberTaken
            | Fate::Left => {}
        }
    }
}
