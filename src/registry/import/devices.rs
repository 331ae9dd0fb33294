//! Devices of another bouncer that receive notifications in the clear.

use std::collections::HashMap;

use entities::{
    devices::{ActiveModel, Column, Entity, Model},
    import_rows,
    redacted::{RedactedBytes, RedactedText},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, DatabaseTransaction, DbErr, EntityTrait as _, ExprTrait as _,
    QueryFilter as _, QuerySelect as _,
    sea_query::{Expr, OnConflict, Query},
};
use uuid::Uuid;

use super::{
    Fate, Imported, Incoming, ROWS_PER_STATEMENT, SourceTable, Storing,
    rows::{forget, remember},
};
use crate::{
    clock::Timestamp,
    domain::{
        device::{AppId, DeviceToken, Provider},
        user::User,
    },
    registry::{Registry, RegistryError},
};

/// A device as another bouncer had it.
pub struct ImportedDevice {
    /// Our key of its server.
    pub server_id: i64,
    /// Whose it is.
    pub user: User,
    /// Which push service reaches it.
    pub provider: Provider,
    /// What that service calls it.
    pub token: DeviceToken,
    /// The app it is an installation of.
    pub app_id: Option<AppId>,
    /// Our key of its realm, if it is known.
    pub remote_realm_id: Option<i64>,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// What tells a device from all others: server, user, push service, token.
type Key = (i64, Option<i64>, Option<Uuid>, i16, Vec<u8>);

impl Registry {
    /// Stores devices, or says what would become of them. One that was registered here later, went later or was removed
    /// here stays as it is.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was stored then.
    pub async fn import_devices(
        &self,
        batch: &[Incoming<ImportedDevice>],
        storing: Storing,
    ) -> Result<Vec<Imported>, RegistryError> {
        self.import_batch(storing, async |transaction| {
            let (by_key, by_id) = here(transaction, batch).await?;
            let mut decided = Vec::with_capacity(batch.len());
            let (mut new, mut changed) = (Vec::new(), Vec::new());
            for Incoming { source_id, before, row, .. } in batch {
                let before = *before;
                let (fate, id) = match (row, before) {
                    (None, _) => (Fate::Left, None),
                    (Some(row), before) => match (by_key.get(&key(row)), before) {
                        (Some(found), _) => (compare(found, row), Some(found.id)),
                        (None, Some(id)) => match by_id.get(&id) {
                            Some(found) if is_newer(found, row) => (Fate::NewerHere, Some(id)),
                            Some(_) => (Fate::Changed, Some(id)),
                            None => (Fate::RemovedHere, Some(id)),
                        },
                        (None, None) => (Fate::New, None),
                    },
                };
                match (row, fate, id) {
                    (Some(row), Fate::New, _) => new.push(row),
                    (Some(row), Fate::Changed, Some(id)) => changed.push((id, row)),
                    _ => {}
                }
                decided.push(Imported::of(*source_id, fate, id));
            }
            if storing == Storing::No {
                return Ok(decided);
            }
            // Of several spellings of one token the latest registration counts.
            new.sort_by_key(|row| std::cmp::Reverse(row.registered_at));
            let added = add(transaction, &new).await?;
            for (id, row) in changed {
                let mut model = model(row);
                model.gone_at = Set(None);
                Entity::update_many()
                    .set(model)
                    .filter(Column::Id.eq(id))
                    .exec(transaction)
                    .await?;
            }
            let mut noted = Vec::with_capacity(batch.len());
            for (imported, incoming) in decided.iter_mut().zip(batch) {
                if let (Fate::New, Some(row)) = (imported.fate, &incoming.row) {
                    imported.target_id = added.get(&key(row)).copied();
                }
                // What was registered in between is looked at again the next time.
                if imported.fate != Fate::New || imported.target_id.is_some() {
                    noted.push((*imported, incoming.version));
                }
            }
            remember(transaction, SourceTable::Devices, &noted).await?;
            Ok(decided)
        })
        .await
    }

    /// Notes that rows are not at the source any more: what they were is gone here too, unless it was registered here
    /// since, or another row of the source is the same device. How many devices went.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was done then.
    pub async fn import_gone_devices(
        &self,
        source_ids: &[i64],
        seen_at: Timestamp,
    ) -> Result<u64, RegistryError> {
        let seen_at = seen_at.unix_millis();
        self.import_batch(Storing::Yes, async |transaction| {
            let targets = forget(transaction, SourceTable::Devices, source_ids).await?;
            let ids: Vec<i64> = targets.keys().copied().collect();
            let mut gone = 0;
            for ids in ids.chunks(ROWS_PER_STATEMENT) {
                let here: Vec<(i64, i64)> = Entity::find()
                    .filter(Column::Id.is_in(ids.iter().copied()))
                    .filter(Column::GoneAt.is_null())
                    .select_only()
                    .columns([Column::Id, Column::RegisteredAt])
                    .into_tuple()
                    .all(transaction)
                    .await?;
                let as_imported =
                    here.into_iter().filter(|(id, registered_at)| *registered_at <= targets[id]);
                let ids: Vec<i64> = as_imported.map(|(id, _)| id).collect();
                let others = Query::select()
                    .column(import_rows::Column::TargetId)
                    .from(import_rows::Entity)
                    .and_where(import_rows::Column::SourceTable.eq(SourceTable::Devices.number()))
                    .and_where(import_rows::Column::TargetId.is_in(ids.iter().copied()))
                    .to_owned();
                // Without its token, as where a push service says so for certain.
                let model = ActiveModel {
                    gone_at: Set(Some(seen_at)),
                    token: Set(RedactedText(String::new())),
                    suspected_at: Set(None),
                    ..Default::default()
                };
                gone += Entity::update_many()
                    .set(model)
                    .filter(Column::Id.is_in(ids))
                    .filter(Expr::col(Column::Id).in_subquery(others).not())
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

/// What is here of a batch: by what the rows say, and by what they became before.
async fn here(
    transaction: &DatabaseTransaction,
    batch: &[Incoming<ImportedDevice>],
) -> Result<Here, DbErr> {
    let (mut by_key, mut by_id) = (HashMap::new(), HashMap::new());
    for batch in batch.chunks(ROWS_PER_STATEMENT) {
        let rows = batch.iter().filter_map(|incoming| incoming.row.as_ref());
        let digests = rows.map(|row| RedactedBytes(row.token.digest().to_vec()));
        let ids: Vec<i64> = batch.iter().filter_map(|incoming| incoming.before).collect();
        let mut condition = Condition::any().add(Column::TokenDigest.is_in(digests));
        if !ids.is_empty() {
            condition = condition.add(Column::Id.is_in(ids));
        }
        for row in Entity::find().filter(condition).all(transaction).await? {
            by_id.insert(row.id, row.clone());
            by_key.insert(key_of(&row), row);
        }
    }
    Ok((by_key, by_id))
}

async fn add(
    transaction: &DatabaseTransaction,
    new: &[&ImportedDevice],
) -> Result<HashMap<Key, i64>, DbErr> {
    let mut added = HashMap::with_capacity(new.len());
    for rows in new.chunks(ROWS_PER_STATEMENT) {
        // Who registered in between is newer, and found the next time.
        let rows = Entity::insert_many(rows.iter().map(|row| model(row)))
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_with_returning(transaction)
            .await?;
        added.extend(rows.iter().map(|row| (key_of(row), row.id)));
    }
    Ok(added)
}

fn is_newer(found: &Model, row: &ImportedDevice) -> bool {
    let registered_at = row.registered_at.unix_millis();
    found.registered_at > registered_at || found.gone_at.is_some_and(|gone| gone >= registered_at)
}

fn compare(found: &Model, row: &ImportedDevice) -> Fate {
    if is_newer(found, row) {
        return Fate::NewerHere;
    }
    // A realm that the source does not know, or we do not know yet, is found out by the next notification.
    let is_same_realm = match (found.remote_realm_id, row.remote_realm_id) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let is_same = found.registered_at == row.registered_at.unix_millis()
        && found.gone_at.is_none()
        && found.token.0 == row.token.expose()
        && found.ios_app_id.as_deref() == row.app_id.as_ref().map(AppId::as_str)
        && is_same_realm;
    if is_same { Fate::Same } else { Fate::Changed }
}

fn model(row: &ImportedDevice) -> ActiveModel {
    let (user_id, user_uuid) = row.user.stored();
    ActiveModel {
        server_id: Set(row.server_id),
        user_id: Set(user_id),
        user_uuid: Set(user_uuid),
        kind: Set(row.provider.token_kind()),
        token: Set(RedactedText(row.token.expose().to_owned())),
        token_digest: Set(RedactedBytes(row.token.digest().to_vec())),
        ios_app_id: Set(row.app_id.as_ref().map(|app| app.as_str().to_owned())),
        remote_realm_id: Set(row.remote_realm_id),
        registered_at: Set(row.registered_at.unix_millis()),
        in_doubt: Set(false),
        suspected_at: Set(None),
        ..Default::default()
    }
}

fn key(row: &ImportedDevice) -> Key {
    let (user_id, user_uuid) = row.user.stored();
    let digest = row.token.digest().to_vec();
    (row.server_id, user_id, user_uuid, row.provider.token_kind(), digest)
}

fn key_of(row: &Model) -> Key {
    (row.server_id, row.user_id, row.user_uuid, row.kind, row.token_digest.0.clone())
}
