//! Which realm is meant by a number on its server.

use std::collections::{HashMap, HashSet};

use entities::remote_realms;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    QuerySelect as _,
};

use super::ROWS_PER_STATEMENT;

/// The realms of one server by their numbers there, as far as they were needed.
pub(super) struct RealmKeys {
    server_id: i64,
    /// Also of numbers that no realm has.
    keys: HashMap<i64, Option<i64>>,
}

impl RealmKeys {
    pub(super) fn of(server_id: i64) -> Self {
        Self { server_id, keys: HashMap::new() }
    }

    /// The upload says that this number is that realm.
    pub(super) fn name(&mut self, realm_id: i64, remote_realm_id: i64) {
        self.keys.insert(realm_id, Some(remote_realm_id));
    }

    /// Finds the realms with these numbers.
    pub(super) async fn look_up(
        &mut self,
        transaction: &DatabaseTransaction,
        realm_ids: impl Iterator<Item = i64>,
    ) -> Result<(), DbErr> {
        let unknown: HashSet<i64> =
            realm_ids.filter(|realm_id| !self.keys.contains_key(realm_id)).collect();
        let unknown: Vec<i64> = unknown.into_iter().collect();
        for realm_ids in unknown.chunks(ROWS_PER_STATEMENT) {
            self.keys.extend(realm_ids.iter().map(|realm_id| (*realm_id, None)));
            let mut found: Vec<(bool, i64, i64)> = remote_realms::Entity::find()
                .filter(remote_realms::Column::ServerId.eq(self.server_id))
                .filter(remote_realms::Column::RealmId.is_in(realm_ids.iter().copied()))
                .select_only()
                .columns([
                    remote_realms::Column::LocallyDeleted,
                    remote_realms::Column::Id,
                    remote_realms::Column::RealmId,
                ])
                .into_tuple()
                .all(transaction)
                .await?;
            // Of several the last one counts: the newest that the server still names.
            found.sort_unstable_by_key(|(is_deleted, key, _)| (!is_deleted, *key));
            self.keys.extend(found.into_iter().map(|(_, key, realm_id)| (realm_id, Some(key))));
        }
        Ok(())
    }

    /// Our key of the realm with this number, when it was looked up and is there.
    pub(super) fn get(&self, realm_id: i64) -> Option<i64> {
        self.keys.get(&realm_id).copied().flatten()
    }
}
