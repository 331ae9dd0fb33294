//! The realms of a server, made to be those of its upload.

mod changes;

use std::collections::HashMap;

use entities::remote_realms;
use futures_util::TryStreamExt as _;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    QueryFilter as _, QuerySelect as _, sea_query::OnConflict,
};
use serde_json::json;
use uuid::Uuid;

use super::{ROWS_PER_STATEMENT, RealmKeys, UploadError, user_counts};
use crate::{
    clock::Timestamp,
    domain::remote_realm::RealmDescription,
    registry::{
        RegistryError,
        audit_log::{self, AuditEntry, AuditEvent},
    },
};

/// Adds new realms, changes known ones, and marks those that are missing as locally deleted. One statement for
/// a thousand realms each.
pub(super) async fn synchronise(
    transaction: &DatabaseTransaction,
    server_id: i64,
    realms: &[RealmDescription],
    keys: &mut RealmKeys,
    now: Timestamp,
) -> Result<(), UploadError> {
    let mut sorted: Vec<&RealmDescription> = realms.iter().collect();
    // In order, so that two servers with the same new realms cannot wait for each other.
    sorted.sort_unstable_by_key(|realm| realm.uuid);
    if sorted.windows(2).any(|pair| pair[0].uuid == pair[1].uuid) {
        return Err(UploadError::Duplicate);
    }
    for realms in sorted.chunks(ROWS_PER_STATEMENT) {
        store(transaction, server_id, realms, keys, now).await?;
    }
    mark_missing(transaction, server_id, &sorted, now).await?;
    Ok(())
}

async fn store(
    transaction: &DatabaseTransaction,
    server_id: i64,
    realms: &[&RealmDescription],
    keys: &mut RealmKeys,
    now: Timestamp,
) -> Result<(), UploadError> {
    let uuids = realms.iter().map(|realm| realm.uuid);
    let known: HashMap<Uuid, remote_realms::Model> = remote_realms::Entity::find()
        .filter(remote_realms::Column::Uuid.is_in(uuids))
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| (row.uuid, row))
        .collect();
    if known.values().any(|row| row.server_id != server_id) {
        return Err(UploadError::Duplicate);
    }
    let is_moved = |realm: &RealmDescription| {
        known.get(&realm.uuid).is_some_and(|row| row.realm_id != realm.realm_id)
    };
    // Imported into a new installation, where it has another number: its users are counted under that.
    let moved: Vec<i64> =
        realms.iter().filter(|realm| is_moved(realm)).map(|realm| realm.realm_id).collect();
    let users = match moved.is_empty() {
        true => HashMap::new(),
        false => user_counts::known(transaction, server_id, moved.into_iter()).await?,
    };
    let (mut new, mut changed, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for realm in realms {
        match known.get(&realm.uuid) {
            None => new.push(*realm),
            Some(row) => {
                keys.name(realm.realm_id, row.id);
                let changes = changes::of(row, realm);
                let users = match is_moved(realm) {
                    true => users.get(&realm.realm_id).copied().unwrap_or(0),
                    false => row.user_count,
                };
                if !changes.is_empty() || is_moved(realm) {
                    changed.push(described(server_id, realm, users, now));
                    events.extend(changes);
                }
            }
        }
    }
    add(transaction, server_id, &new, keys, now).await?;
    if !changed.is_empty() {
        // All of them are there: so this updates, and never adds.
        let conflict = OnConflict::column(remote_realms::Column::Uuid)
            .update_columns([
                remote_realms::Column::RealmId,
                remote_realms::Column::UserCount,
                remote_realms::Column::Host,
                remote_realms::Column::Name,
                remote_realms::Column::OrgType,
                remote_realms::Column::AuthenticationMethods,
                remote_realms::Column::IsSystemBotRealm,
                remote_realms::Column::Deactivated,
                remote_realms::Column::LocallyDeleted,
            ])
            .to_owned();
        remote_realms::Entity::insert_many(changed)
            .on_conflict(conflict)
            .exec_without_returning(transaction)
            .await?;
        audit_log::note_all(transaction, events, now).await?;
    }
    Ok(())
}

async fn add(
    transaction: &DatabaseTransaction,
    server_id: i64,
    realms: &[&RealmDescription],
    keys: &mut RealmKeys,
    now: Timestamp,
) -> Result<(), UploadError> {
    if realms.is_empty() {
        return Ok(());
    }
    let realm_ids = realms.iter().map(|realm| realm.realm_id);
    let users = user_counts::known(transaction, server_id, realm_ids).await?;
    let rows = realms.iter().map(|realm| {
        described(server_id, realm, users.get(&realm.realm_id).copied().unwrap_or(0), now)
    });
    let added = remote_realms::Entity::insert_many(rows).exec_without_returning(transaction).await;
    added.map_err(|error| {
        let error = RegistryError(error);
        // Another server was quicker.
        if error.is_conflict() { UploadError::Duplicate } else { error.into() }
    })?;
    let rows: Vec<(i64, Uuid)> = remote_realms::Entity::find()
        .filter(remote_realms::Column::Uuid.is_in(realms.iter().map(|realm| realm.uuid)))
        .select_only()
        .columns([remote_realms::Column::Id, remote_realms::Column::Uuid])
        .into_tuple()
        .all(transaction)
        .await?;
    let added: HashMap<Uuid, i64> = rows.into_iter().map(|(id, uuid)| (uuid, id)).collect();
    for realm in realms {
        if let Some(id) = added.get(&realm.uuid) {
            keys.name(realm.realm_id, *id);
        }
    }
    Ok(())
}

fn described(
    server_id: i64,
    realm: &RealmDescription,
    user_count: i64,
    now: Timestamp,
) -> remote_realms::ActiveModel {
    remote_realms::ActiveModel {
        server_id: Set(server_id),
        uuid: Set(realm.uuid),
        realm_id: Set(realm.realm_id),
        host: Set(realm.host.clone()),
        name: Set(realm.name.clone()),
        org_type: Set(realm.org_type),
        authentication_methods: Set(realm.authentication_methods.clone()),
        is_system_bot_realm: Set(realm.is_system_bot_realm),
        deactivated: Set(realm.deactivated),
        locally_deleted: Set(false),
        date_created: Set(realm.date_created.unix_millis()),
        created_at: Set(now.unix_millis()),
        user_count: Set(user_count),
        ..Default::default()
    }
}

/// Marks the realms that the upload no longer names, once.
///
/// All that were named before are read, one after the other: read in parts, a database without statistics
/// would look at all of them for each part.
async fn mark_missing(
    transaction: &DatabaseTransaction,
    server_id: i64,
    sorted: &[&RealmDescription],
    now: Timestamp,
) -> Result<(), DbErr> {
    let is_missing = |uuid: &Uuid| sorted.binary_search_by_key(uuid, |realm| realm.uuid).is_err();
    let missing: Vec<i64> = remote_realms::Entity::find()
        .filter(remote_realms::Column::ServerId.eq(server_id))
        .filter(remote_realms::Column::LocallyDeleted.eq(false))
        .select_only()
        .columns([remote_realms::Column::Id, remote_realms::Column::Uuid])
        .into_tuple::<(i64, Uuid)>()
        .stream(transaction)
        .await?
        .try_filter_map(async |(id, uuid)| Ok(is_missing(&uuid).then_some(id)))
        .try_collect()
        .await?;
    for ids in missing.chunks(ROWS_PER_STATEMENT) {
        remote_realms::Entity::update_many()
            .set(remote_realms::ActiveModel { locally_deleted: Set(true), ..Default::default() })
            .filter(remote_realms::Column::Id.is_in(ids.iter().copied()))
            .exec(transaction)
            .await?;
        let event = |id: &i64| AuditEntry {
            server_id,
            remote_realm_id: Some(*id),
            event: AuditEvent::RealmLocallyDeleted,
            extra_data: json!({}),
        };
        audit_log::note_all(transaction, ids.iter().map(event).collect(), now).await?;
    }
    Ok(())
}
