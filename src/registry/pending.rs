//! What may be written a few seconds late: counts, and times of last requests.
//!
//! A crash loses at most what was collected since the last flush. What cannot be written is kept: a row for each
//! day, server and realm, of those that are known without a database. Where the database's last word is lost
//! (the connection ends between commit and answer), one flush may be counted twice.

mod last_requests;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use entities::{push_counts, registration_key_uses};
use sea_orm::{
    ActiveValue::Set,
    DbErr, EntityTrait as _, ExprTrait as _, TransactionTrait as _,
    sea_query::{Expr, OnConflict},
};

use tokio_util::sync::CancellationToken;

use super::{ROWS_PER_STATEMENT, Registry, RegistryError};
use crate::clock::Timestamp;

/// How long something waits to be written; a crash loses at most this much.
pub(super) const FLUSH_INTERVAL: Duration = Duration::from_secs(2);

/// A row that cannot be had for longer than this is no longer there.
const HELD_FOR: Duration = Duration::from_secs(10 * 60);

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Stands for the whole server where a realm's key stands otherwise.
const WHOLE_SERVER: i64 = 0;

/// Pushes of one notification.
#[derive(Clone, Copy, Debug, Default)]
pub struct PushCount {
    /// Asked for.
    pub received: i64,
    /// Accepted by Apple or Google.
    pub forwarded: i64,
}

/// Server, realm, and the end of the day.
type CountKey = (i64, i64, i64);

#[derive(Default)]
pub(super) struct Pending {
    collected: Mutex<Collected>,
}

#[derive(Default)]
struct Collected {
    counts: HashMap<CountKey, PushCount>,
    server_requests: HashMap<i64, i64>,
    realm_requests: HashMap<i64, i64>,
    key_uses: HashMap<(i64, i64), i64>,
}

impl Pending {
    fn with<T>(&self, change: impl FnOnce(&mut Collected) -> T) -> T {
        change(&mut self.collected.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Registry {
    /// Notes that a server made a request now.
    pub fn touch_server(&self, server_id: i64) {
        let now = self.inner.clock.now().unix_millis();
        self.inner.pending.with(|collected| collected.server_requests.insert(server_id, now));
    }

    /// Notes that a realm was named in a request now.
    pub fn touch_realm(&self, remote_realm_id: i64) {
        let now = self.inner.clock.now().unix_millis();
        self.inner.pending.with(|collected| collected.realm_requests.insert(remote_realm_id, now));
    }

    /// Adds pushes to today's counts of a server and, if it is known, of the realm.
    pub fn count_pushes(&self, server_id: i64, remote_realm_id: Option<i64>, count: PushCount) {
        if count.received == 0 && count.forwarded == 0 {
            return;
        }
        let end_time = end_of_day(self.inner.clock.now());
        self.inner.pending.with(|collected| {
            for realm in [Some(WHOLE_SERVER), remote_realm_id].into_iter().flatten() {
                let total = collected.counts.entry((server_id, realm, end_time)).or_default();
                total.received += count.received;
                total.forwarded += count.forwarded;
            }
        });
    }

    /// Adds a registration to today's uses of the key it was sealed for.
    pub fn count_key_use(&self, key_id: i64) {
        let end_time = end_of_day(self.inner.clock.now());
        self.inner.pending.with(|collected| {
            *collected.key_uses.entry((key_id, end_time)).or_default() += 1;
        });
    }

    /// Writes what was collected, every two seconds, until `stop`; a flush is never cut off.
    pub async fn keep_flushing(&self, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(FLUSH_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.flush().await {
                tracing::warn!(event = "database.flush_failed", %error, "counts wait for the next flush");
            }
        }
    }

    /// Writes what was collected; what cannot be written is kept for the next time.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn flush(&self) -> Result<(), RegistryError> {
        let collected = self.inner.pending.with(std::mem::take);
        if collected.is_empty() {
            return Ok(());
        }
        let written = self.carry_out(Box::pin(self.write(&collected))).await;
        let (left, written) = match written {
            Ok(left) => (left.newer_than(self.inner.clock.now() - HELD_FOR), Ok(())),
            Err(error) => (collected, Err(error)),
        };
        self.inner.pending.with(|newer| newer.take_back(left));
        self.noted(written)
    }

    /// Gives back what is to be written later.
    async fn write(&self, collected: &Collected) -> Result<Collected, DbErr> {
        let transaction = self.inner.database.begin().await?;
        // In order, so that two nodes cannot wait for each other's rows.
        for counts in sorted(&collected.counts).chunks(ROWS_PER_STATEMENT) {
            let add = |column: push_counts::Column| {
                Expr::col((push_counts::Entity, column)).add(Expr::col(("excluded", column)))
            };
            let row = |&((server_id, remote_realm_id, end_time), count): &(CountKey, PushCount)| {
                push_counts::ActiveModel {
                    server_id: Set(server_id),
                    remote_realm_id: Set(remote_realm_id),
                    end_time: Set(end_time),
                    received: Set(count.received),
                    forwarded: Set(count.forwarded),
                }
            };
            push_counts::Entity::insert_many(counts.iter().map(row))
                .on_conflict(
                    OnConflict::columns([
                        push_counts::Column::ServerId,
                        push_counts::Column::RemoteRealmId,
                        push_counts::Column::EndTime,
                    ])
                    .values([
                        (push_counts::Column::Received, add(push_counts::Column::Received)),
                        (push_counts::Column::Forwarded, add(push_counts::Column::Forwarded)),
                    ])
                    .to_owned(),
                )
                .exec_without_returning(&transaction)
                .await?;
        }
        for ((key_id, end_time), uses) in sorted(&collected.key_uses) {
            let column = registration_key_uses::Column::Uses;
            let sum = Expr::col((registration_key_uses::Entity, column))
                .add(Expr::col(("excluded", column)));
            registration_key_uses::Entity::insert(registration_key_uses::ActiveModel {
                key_id: Set(key_id),
                end_time: Set(end_time),
                uses: Set(uses),
            })
            .on_conflict(
                OnConflict::columns([
                    registration_key_uses::Column::KeyId,
                    registration_key_uses::Column::EndTime,
                ])
                .value(column, sum)
                .to_owned(),
            )
            .exec_without_returning(&transaction)
            .await?;
        }
        // Last of all: what is locked here is held for the shortest time.
        let server_requests =
            last_requests::write_servers(&transaction, &collected.server_requests).await?;
        let realm_requests =
            last_requests::write_realms(&transaction, &collected.realm_requests).await?;
        transaction.commit().await?;
        Ok(Collected { server_requests, realm_requests, ..Collected::default() })
    }
}

impl Collected {
    /// Without times of requests before this moment.
    fn newer_than(mut self, moment: Timestamp) -> Self {
        let oldest = moment.unix_millis();
        self.server_requests.retain(|_, at| *at > oldest);
        self.realm_requests.retain(|_, at| *at > oldest);
        self
    }

    fn is_empty(&self) -> bool {
        let Self { counts, server_requests, realm_requests, key_uses } = self;
        counts.is_empty()
            && server_requests.is_empty()
            && realm_requests.is_empty()
            && key_uses.is_empty()
    }

    /// Puts back what could not be written, under what has come since.
    fn take_back(&mut self, older: Self) {
        for (key, count) in older.counts {
            let total = self.counts.entry(key).or_default();
            total.received += count.received;
            total.forwarded += count.forwarded;
        }
        for (id, at) in older.server_requests {
            self.server_requests.entry(id).or_insert(at);
        }
        for (id, at) in older.realm_requests {
            self.realm_requests.entry(id).or_insert(at);
        }
        for (key, uses) in older.key_uses {
            *self.key_uses.entry(key).or_default() += uses;
        }
    }
}

fn sorted<K: Copy + Ord, V: Copy>(collected: &HashMap<K, V>) -> Vec<(K, V)> {
    let mut entries: Vec<(K, V)> = collected.iter().map(|(&key, &value)| (key, value)).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

fn end_of_day(now: Timestamp) -> i64 {
    (now.unix_millis().div_euclid(DAY_MILLIS) + 1) * DAY_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_the_next_midnight() {
        assert_eq!(end_of_day(Timestamp::from_unix_seconds(0)), DAY_MILLIS);
        assert_eq!(end_of_day(Timestamp::from_unix_millis(DAY_MILLIS - 1)), DAY_MILLIS);
        assert_eq!(end_of_day(Timestamp::from_unix_millis(DAY_MILLIS)), 2 * DAY_MILLIS);
    }
}
