//! Devices of another bouncer that receive encrypted notifications.
//!
//! Zulip 11 names them by our own key of the row, so each keeps the number it had there. When it was registered the
//! source does not know: the Unix epoch stands for that, and whatever is known better here is newer.

use std::collections::HashMap;

use entities::{
    e2ee_devices::{ActiveModel, Column, Entity, Model},
    redacted::{RedactedBytes, RedactedText},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait as _, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait as _, QueryFilter as _,
};

use super::{
    Fate, Imported, Incoming, ROWS_PER_STATEMENT, SourceTable, Storing,
    rows::{forget, remember},
};
use crate::{
    clock::Timestamp,
    domain::{
        device::{AppId, DeviceToken, Provider},
        e2ee_device::E2eeIdentity,
    },
    registry::{Registry, RegistryError},
};

/// What stands where nobody knows when a device was registered.
const REGISTERED_UNKNOWN: i64 = 0;

/// A device as another bouncer had it.
pub struct ImportedE2eeDevice {
    /// The number it keeps.
    pub id: i64,
    /// Our key of its server.
    pub server_id: i64,
    /// Our key of its realm.
    pub remote_realm_id: i64,
    /// What it is registered under.
    pub identity: E2eeIdentity,
    /// Which push service reaches it.
    pub provider: Provider,
    /// What that service calls it.
    pub token: DeviceToken,
    /// The app it is an installation of.
    pub app_id: Option<AppId>,
    /// When a push service declared it dead.
    pub expired_at: Option<Timestamp>,
}

/// What tells a device from all others of its realm.
type Key = (i64, Option<i64>, Option<(i64, Vec<u8>)>);

impl Registry {
    /// Stores devices, or says what would become of them.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was stored then.
    pub async fn import_e2ee_devices(
        &self,
        batch: &[Incoming<ImportedE2eeDevice>],
        storing: Storing,
    ) -> Result<Vec<Imported>, RegistryError> {
        self.import_batch(storing, async |transaction| {
            let (by_key, by_id) = here(transaction, batch).await?;
            let mut decided = Vec::with_capacity(batch.len());
            let (mut new, mut changed) = (Vec::new(), Vec::new());
            // The source does not keep two rows from being the same device.
            let mut added: HashMap<Key, i64> = HashMap::new();
            for Incoming { source_id, version, before, row } in batch {
                let was_taken = before.is_some();
                let (fate, id) = match row {
                    None => (Fate::Left, None),
                    Some(row) if added.contains_key(&key(row)) => match row.identity {
                        E2eeIdentity::TokenId(_) => (Fate::Same, added.get(&key(row)).copied()),
                        E2eeIdentity::PushAccount(_) => (Fate::NumberTaken, None),
                    },
                    Some(row) => match (by_key.get(&key(row)), by_id.get(&row.id)) {
                        (Some(found), _) if found.id == row.id => {
                            (compare(found, row), Some(found.id))
                        }
                        // By its token it is found under whatever number it has.
                        (Some(found), _) if matches!(row.identity, E2eeIdentity::TokenId(_)) => {
                            (Fate::NewerHere, Some(found.id))
                        }
                        (Some(_), _) => (Fate::NumberTaken, None),
                        (None, Some(found)) if was_taken => (compare(found, row), Some(found.id)),
                        (None, Some(_)) => (Fate::NumberTaken, None),
                        (None, None) if was_taken => (Fate::RemovedHere, Some(row.id)),
                        (None, None) => (Fate::New, Some(row.id)),
                    },
                };
                match (row, fate) {
                    (Some(row), Fate::New) => {
                        added.insert(key(row), row.id);
                        new.push(model(row));
                    }
                    (Some(row), Fate::Changed) => changed.push(row),
                    _ => {}
                }
                decided.push((Imported::of(*source_id, fate, id), *version));
            }
            if storing == Storing::Yes {
                for rows in new.chunks(ROWS_PER_STATEMENT) {
                    let rows = Entity::insert_many(rows.iter().cloned());
                    rows.exec_without_returning(transaction).await?;
                }
                for row in changed {
                    let filter = Column::Id.eq(row.id);
                    Entity::update_many().set(model(row)).filter(filter).exec(transaction).await?;
                }
                if !new.is_empty() {
                    number_from_above(transaction).await?;
                }
                remember(transaction, SourceTable::E2eeDevices, &decided).await?;
            }
            Ok(decided.into_iter().map(|(imported, _)| imported).collect())
        })
        .await
    }

    /// Notes that rows are not at the source any more: what they were is expired here too, unless it was registered
    /// here since. How many devices went.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was done then.
    pub async fn import_gone_e2ee_devices(
        &self,
        source_ids: &[i64],
        seen_at: Timestamp,
    ) -> Result<u64, RegistryError> {
        self.import_batch(Storing::Yes, async |transaction| {
            let targets = forget(transaction, SourceTable::E2eeDevices, source_ids).await?;
            let mut gone = 0;
            let ids: Vec<i64> = targets.into_keys().collect();
            for ids in ids.chunks(ROWS_PER_STATEMENT) {
                let model = ActiveModel {
                    expired_at: Set(Some(seen_at.unix_millis())),
                    token: Set(RedactedText(String::new())),
                    suspected_at: Set(None),
                    ..Default::default()
                };
                gone += Entity::update_many()
                    .set(model)
                    .filter(Column::Id.is_in(ids.iter().copied()))
                    .filter(Column::RegisteredAt.eq(REGISTERED_UNKNOWN))
                    .filter(Column::ExpiredAt.is_null())
                    .exec(transaction)
                    .await?
                    .rows_affected;
            }
            Ok(gone)
        })
        .await
    }
}

type Here = (HashMap<Key, Model>, HashMap<i64, Model>);

/// What is here of a batch: by what the rows say, and by their numbers.
async fn here(
    transaction: &DatabaseTransaction,
    batch: &[Incoming<ImportedE2eeDevice>],
) -> Result<Here, DbErr> {
    let (mut by_key, mut by_id) = (HashMap::new(), HashMap::new());
    let rows: Vec<&ImportedE2eeDevice> =
        batch.iter().filter_map(|incoming| incoming.row.as_ref()).collect();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let realms = Column::RemoteRealmId.is_in(rows.iter().map(|row| row.remote_realm_id));
        let token_ids = rows.iter().filter_map(|row| match row.identity {
            E2eeIdentity::TokenId(id) => Some(id.stored()),
            E2eeIdentity::PushAccount(_) => None,
        });
        let accounts = rows.iter().filter_map(|row| match row.identity {
            E2eeIdentity::PushAccount(id) => Some(id),
            E2eeIdentity::TokenId(_) => None,
        });
        let named = Condition::any()
            .add(Column::TokenId.is_in(token_ids))
            .add(Column::PushAccountId.is_in(accounts));
        let of_realms = Condition::all().add(realms).add(named);
        let by_number = Column::Id.is_in(rows.iter().map(|row| row.id));
        for condition in [of_realms, Condition::all().add(by_number)] {
            for row in Entity::find().filter(condition).all(transaction).await? {
                by_id.insert(row.id, row.clone());
                by_key.insert(key_of(&row), row);
            }
        }
    }
    Ok((by_key, by_id))
}

/// Numbers that are given here lie above those that were taken over.
async fn number_from_above(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    // SQLite looks for the highest by itself.
    if transaction.get_database_backend() == DbBackend::Postgres {
        let statement = "SELECT setval(pg_get_serial_sequence('e2ee_devices', 'id'),
            greatest((SELECT max(id) FROM e2ee_devices),
                     nextval(pg_get_serial_sequence('e2ee_devices', 'id'))))";
        transaction.execute_unprepared(statement).await?;
    }
    Ok(())
}

fn compare(found: &Model, row: &ImportedE2eeDevice) -> Fate {
    let expired_at = row.expired_at.map(Timestamp::unix_millis);
    let is_expired_here = found.expired_at.is_some() && found.expired_at > expired_at;
    if found.registered_at > REGISTERED_UNKNOWN || is_expired_here {
        return Fate::NewerHere;
    }
    let is_same = key_of(found) == key(row)
        && found.kind == row.provider.token_kind()
        && found.token.0 == row.token.expose()
        && found.ios_app_id.as_deref() == row.app_id.as_ref().map(AppId::as_str)
        && found.expired_at == expired_at;
    if is_same { Fate::Same } else { Fate::Changed }
}

fn model(row: &ImportedE2eeDevice) -> ActiveModel {
    let (token_id, push_account_id) = match row.identity {
        E2eeIdentity::TokenId(id) => (Some(id.stored()), None),
        E2eeIdentity::PushAccount(id) => (None, Some(id)),
    };
    ActiveModel {
        id: Set(row.id),
        server_id: Set(row.server_id),
        remote_realm_id: Set(row.remote_realm_id),
        kind: Set(row.provider.token_kind()),
        token: Set(RedactedText(row.token.expose().to_owned())),
        token_digest: Set(RedactedBytes(row.token.digest().to_vec())),
        token_id: Set(token_id),
        push_account_id: Set(push_account_id),
        ios_app_id: Set(row.app_id.as_ref().map(|app| app.as_str().to_owned())),
        registered_at: Set(REGISTERED_UNKNOWN),
        expired_at: Set(row.expired_at.map(Timestamp::unix_millis)),
        in_doubt: Set(false),
        suspected_at: Set(None),
        fcm_app: Set(None),
    }
}

fn key(row: &ImportedE2eeDevice) -> Key {
    match row.identity {
        E2eeIdentity::TokenId(id) => (row.remote_realm_id, Some(id.stored()), None),
        E2eeIdentity::PushAccount(id) => {
            (row.remote_realm_id, None, Some((id, row.token.digest().to_vec())))
        }
    }
}

fn key_of(row: &Model) -> Key {
    let account = row.push_account_id.map(|id| (id, row.token_digest.0.clone()));
    (row.remote_realm_id, row.token_id, account)
}
