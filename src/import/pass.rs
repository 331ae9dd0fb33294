//! One pass over the source: what is new or changed is taken, what went goes.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    ImportError, Importer, Outcome, Step, devices, e2ee_devices, name_of,
    reason::{Reason, Refusal},
    schema::Selection,
    source::Snapshot,
    tables::{self, ORDER, Seen},
};
use crate::registry::{Fate, HOLES_LAST, HolesCause, SourceTable, Storing};

/// Rows of the source that are looked at together; all that is in memory of them.
pub(super) const BATCH: usize = 5000;

/// A row of the source may have a moment so long before it is seen.
const UNSEEN: Duration = Duration::from_secs(60);

/// Keys of rows that went, collected before they are taken away.
const GONE: usize = 10_000;

/// How thorough a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// Rows that were not taken are looked at again, and the report is about all of them.
    Whole,
    /// Only what changed since the last pass.
    Changes,
}

impl Importer {
    /// Goes over the source once; false when it was stopped between two batches. Saying the same again goes on from
    /// there.
    ///
    /// # Errors
    ///
    /// When the source, our database or the report fails.
    pub async fn pass(
        &mut self,
        thoroughness: Thoroughness,
        stop: &CancellationToken,
        mut tell: impl FnMut(Step),
    ) -> Result<bool, ImportError> {
        self.outcome = Outcome::default();
        self.note_holes().await?;
        let mut snapshot = self.source.snapshot().await?;
        for table in ORDER {
            if !self.synchronise(table, &mut snapshot, thoroughness, stop, &mut tell).await? {
                return Ok(false);
            }
        }
        if !self.grow(&mut snapshot, thoroughness, stop, &mut tell).await? {
            return Ok(false);
        }
        // After all that is new: a device that was registered again has another key, and is the same device.
        for table in ORDER {
            self.take_away(table, &mut snapshot).await?;
        }
        snapshot.close().await;
        if self.storing == Storing::Yes {
            self.registry.import_user_counts().await?;
        }
        self.note_holes().await?;
        self.report.flush()?;
        Ok(true)
    }

    /// From the first device on that is stored here there may be others that are not.
    async fn note_holes(&self) -> Result<(), ImportError> {
        if self.storing == Storing::Yes {
            let ends_at = self.clock.now() + HOLES_LAST;
            self.registry.begin_tombstone_period(HolesCause::Import, ends_at).await?;
        }
        Ok(())
    }

    /// Apps of Apple's phones that the configuration lacks, at most fifty, and how many devices each has.
    ///
    /// # Errors
    ///
    /// When the source fails.
    pub async fn unknown_apps(&self) -> Result<Vec<(String, u64)>, ImportError> {
        let mut snapshot = self.source.snapshot().await?;
        let tables =
            [(devices::DEVICES, "kind", "1"), (e2ee_devices::E2EE_DEVICES, "token_kind", "apns")];
        let mut counted: HashMap<String, u64> = HashMap::new();
        for (table, kind, apple) in tables {
            let schema = &snapshot.schema;
            if !schema.has(table, kind) || !schema.has(table, "ios_app_id") {
                continue;
            }
            let query = format!(
                "SELECT {app}, count(*)::text, NULL::text, NULL::text FROM {table} t
                 WHERE t.{kind}::text = '{apple}' AND t.ios_app_id <> ''
                 GROUP BY 1 ORDER BY count(*) DESC LIMIT 50",
                app = schema.text("t", table, "ios_app_id", devices::LONGEST_APP),
                table = schema.table(table),
            );
            for [app, count, ..] in snapshot.pairs(query).await? {
                if !self.apps.contains(&app) {
                    *counted.entry(app).or_default() += count.parse::<u64>().unwrap_or(0);
                }
            }
        }
        snapshot.close().await;
        let mut counted: Vec<(String, u64)> = counted.into_iter().collect();
        counted.sort_by_key(|(app, count)| (std::cmp::Reverse(*count), app.clone()));
        Ok(counted)
    }

    /// Takes what is new or changed in a table.
    async fn synchronise(
        &mut self,
        table: SourceTable,
        snapshot: &mut Snapshot,
        thoroughness: Thoroughness,
        stop: &CancellationToken,
        tell: &mut impl FnMut(Step),
    ) -> Result<bool, ImportError> {
        let Some(selection) = tables::select(table, &snapshot.schema) else { return Ok(true) };
        let total = match thoroughness {
            Thoroughness::Whole => snapshot.number(selection.count()).await?,
            Thoroughness::Changes => 0,
        };
        let total = u64::try_from(total).unwrap_or(0);
        self.outcome.tables.entry(table).or_default().total = total;
        let (mut above, mut done) = (i64::MIN, 0);
        loop {
            if stop.is_cancelled() {
                self.report.flush()?;
                return Ok(false);
            }
            let versions = snapshot.versions(&selection, above, BATCH).await?;
            let Some((last, _)) = versions.last().copied() else { return Ok(true) };
            let seen = self.registry.seen_rows(table, above, last).await?;
            let seen: Seen = seen.into_iter().map(|row| (row.source_id, row)).collect();
            let is_news = |key: &i64, version: i64| {
                seen.get(key).is_none_or(|seen| {
                    seen.version != version
                        || thoroughness == Thoroughness::Whole && seen.target_id.is_none()
                })
            };
            let news: HashSet<i64> = versions
                .iter()
                .filter(|(key, version)| is_news(key, *version))
                .map(|(key, _)| *key)
                .collect();
            // Servers and realms are few, and change without a trace of it in their versions.
            let is_small = matches!(table, SourceTable::Servers | SourceTable::Realms);
            let rows = if is_small || news.len() == versions.len() {
                snapshot.rows_between(&selection, (above, last), BATCH).await?
            } else if news.is_empty() {
                Vec::new()
            } else {
                let keys: Vec<i64> = news.iter().copied().collect();
                snapshot.rows_with(&selection, &keys).await?
            };
            let unread = versions.len().saturating_sub(rows.len()) as u64;
            let told = (thoroughness == Thoroughness::Changes).then_some(&news);
            let taken_at = snapshot.taken_at;
            let imported = self.take(table, rows, taken_at, self.storing, (&seen, told)).await?;
            let numbers = self.outcome.tables.entry(table).or_default();
            for one in imported {
                *numbers.fates.entry(one.fate).or_default() += 1;
            }
            *numbers.fates.entry(Fate::Same).or_default() += unread;
            done += versions.len() as u64;
            tell(Step { table: name_of(table), done, total });
            above = last;
        }
    }

    /// Takes away what is not at the source any more.
    async fn take_away(
        &mut self,
        table: SourceTable,
        snapshot: &mut Snapshot,
    ) -> Result<(), ImportError> {
        if self.storing == Storing::No {
            return Ok(());
        }
        let Some(selection) = tables::select(table, &snapshot.schema) else { return Ok(()) };
        let mut above = i64::MIN;
        loop {
            let (gone, last) = self.gone_above(table, &selection, snapshot, above).await?;
            for keys in gone.chunks(GONE) {
                self.bury(table, keys, snapshot).await?;
            }
            match last {
                Some(last) => above = last,
                None => return Ok(()),
            }
        }
    }

    /// Rows that were looked at and are not at the source, above a key and up to the one that comes with them.
    pub(super) async fn gone_above(
        &self,
        table: SourceTable,
        selection: &Selection,
        snapshot: &mut Snapshot,
        above: i64,
    ) -> Result<(Vec<i64>, Option<i64>), ImportError> {
        let versions = snapshot.versions(selection, above, BATCH).await?;
        let last = versions.last().map(|(key, _)| *key);
        let seen = self.registry.seen_rows(table, above, last.unwrap_or(i64::MAX)).await?;
        let there: HashSet<i64> = versions.into_iter().map(|(key, _)| key).collect();
        let gone = seen.into_iter().map(|row| row.source_id).filter(|key| !there.contains(key));
        Ok((gone.collect(), last))
    }

    async fn bury(
        &mut self,
        table: SourceTable,
        keys: &[i64],
        snapshot: &Snapshot,
    ) -> Result<(), ImportError> {
        // What is registered again while this is read must not look older than its end.
        let gone_at = snapshot.taken_at - UNSEEN;
        let gone = match table {
            SourceTable::Devices => self.registry.import_gone_devices(keys, gone_at).await?,
            SourceTable::E2eeDevices => {
                self.registry.import_gone_e2ee_devices(keys, gone_at).await?
            }
            SourceTable::Servers | SourceTable::Realms => {
                self.registry.import_forget(table, keys).await?;
                for key in keys {
                    self.refuse(table, *key, &Refusal::from(Reason::GoneAtSource))?;
                }
                0
            }
        };
        self.outcome.tables.entry(table).or_default().gone += gone;
        Ok(())
    }
}
