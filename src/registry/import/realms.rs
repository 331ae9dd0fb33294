//! Realms of another bouncer.

use std::collections::HashMap;

use entities::remote_realms::{ActiveModel, Column, Entity, Model};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::{
    Fate, Imported, Incoming, ROWS_PER_STATEMENT, SourceTable, Storing, rows::remember, stored,
};
use crate::{
    clock::Timestamp,
    domain::{plan::Plan, remote_realm::RealmDescription},
    registry::{
        Registry, RegistryError,
        announcements::{Change, announce},
        plans,
    },
};

/// A realm as another bouncer had it.
pub struct ImportedRealm {
    /// Our key of its server.
    pub server_id: i64,
    /// Whether its server talks to us already, so that what we know of the realm is newer.
    pub is_known_better: bool,
    /// What its server said of it; its number is 0 where the source does not know it, until the next upload.
    pub description: RealmDescription,
    /// Whether it was missing in its server's last upload.
    pub locally_deleted: bool,
    /// When it was first heard of, as far as that is known.
    pub created_at: Timestamp,
    /// When it was last named in a request.
    pub last_request_at: Option<Timestamp>,
    /// What was agreed with it.
    pub plan: Option<Plan>,
}

impl Registry {
    /// Stores realms, or says what would become of them.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was stored then.
    pub async fn import_realms(
        &self,
        batch: &[Incoming<ImportedRealm>],
        storing: Storing,
    ) -> Result<Vec<Imported>, RegistryError> {
        let rows = batch.iter().filter_map(|incoming| incoming.row.as_ref());
        let uuids: Vec<Uuid> = rows.map(|row| row.description.uuid).collect();
        let imported = self
            .import_batch(storing, async |transaction| {
                let mut here: HashMap<Uuid, Model> = HashMap::new();
                for uuids in uuids.chunks(ROWS_PER_STATEMENT) {
                    let query = Entity::find().filter(Column::Uuid.is_in(uuids.iter().copied()));
                    let rows = query.all(transaction).await?;
                    here.extend(rows.into_iter().map(|row| (row.uuid, row)));
                }
                let mut imported = Vec::with_capacity(batch.len());
                for Incoming { source_id, version, before, row } in batch {
                    let (fate, id) = match row {
                        None => (Fate::Left, None),
                        Some(row) => match here.get(&row.description.uuid) {
                            Some(found) if found.server_id != row.server_id => {
                                (Fate::OtherServer, None)
                            }
                            Some(found) => (compare(found, row), Some(found.id)),
                            None if before.is_some() => (Fate::RemovedHere, *before),
                            None => (Fate::New, None),
                        },
                    };
                    let id = match (row, fate, storing) {
                        (Some(row), Fate::New, Storing::Yes) => {
                            let insert = Entity::insert(model(row, true));
                            Some(insert.exec(transaction).await?.last_insert_id)
                        }
                        (Some(row), Fate::Changed, Storing::Yes) => {
                            Entity::update_many()
                                .set(model(row, false))
                                .filter(Column::Uuid.eq(row.description.uuid))
                                .exec(transaction)
                                .await?;
                            id
                        }
                        _ => id,
                    };
                    imported.push((Imported::of(*source_id, fate, id), *version));
                }
                if storing == Storing::Yes {
                    remember(transaction, SourceTable::Realms, &imported).await?;
                    let changes =
                        stored(batch, &imported).map(|row| Change::Realm(row.description.uuid));
                    announce(transaction, changes).await?;
                }
                Ok(imported)
            })
            .await?;
        for uuid in &uuids {
            self.inner.realms.invalidate(uuid);
        }
        Ok(imported.into_iter().map(|(imported, _)| imported).collect())
    }
}

fn compare(found: &Model, row: &ImportedRealm) -> Fate {
    let last_request_at = row.last_request_at.map(Timestamp::unix_millis);
    if row.is_known_better || found.last_request_at > last_request_at {
        return Fate::NewerHere;
    }
    let said = &row.description;
    let is_same = (found.realm_id == said.realm_id || said.realm_id == 0)
        && found.host == said.host
        && found.name == said.name
        && found.org_type == said.org_type
        && found.authentication_methods == said.authentication_methods
        && found.is_system_bot_realm == said.is_system_bot_realm
        && found.deactivated == said.deactivated
        && found.locally_deleted == row.locally_deleted
        && found.last_request_at == last_request_at
        && plans::of_realm(found) == row.plan;
    if is_same { Fate::Same } else { Fate::Changed }
}

fn model(row: &ImportedRealm, is_new: bool) -> ActiveModel {
    let (plan_name, plan_status, plan_ends_at, plan_user_limit) = plans::columns(row.plan.as_ref());
    let said = &row.description;
    let mut model = ActiveModel {
        host: Set(said.host.clone()),
        name: Set(said.name.clone()),
        org_type: Set(said.org_type),
        authentication_methods: Set(said.authentication_methods.clone()),
        is_system_bot_realm: Set(said.is_system_bot_realm),
        deactivated: Set(said.deactivated),
        locally_deleted: Set(row.locally_deleted),
        last_request_at: Set(row.last_request_at.map(Timestamp::unix_millis)),
        plan_name: Set(plan_name),
        plan_status: Set(plan_status),
        plan_ends_at: Set(plan_ends_at),
        plan_user_limit: Set(plan_user_limit),
        ..Default::default()
    };
    if is_new || said.realm_id != 0 {
        model.realm_id = Set(said.realm_id);
    }
    if is_new {
        model.server_id = Set(row.server_id);
        model.uuid = Set(said.uuid);
        model.date_created = Set(said.date_created.unix_millis());
        model.created_at = Set(row.created_at.unix_millis());
        model.user_count = Set(0);
    }
    model
}
