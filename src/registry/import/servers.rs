//! Servers of another bouncer.

use std::collections::HashMap;

use entities::{
    redacted::RedactedBytes,
    remote_servers::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::{
    Fate, Imported, Incoming, ROWS_PER_STATEMENT, SourceTable, Storing, rows::remember, stored,
};
use crate::{
    clock::Timestamp,
    domain::{plan::Plan, remote_server::KeyHash},
    registry::{
        Registry, RegistryError,
        announcements::{Change, announce},
        plans,
    },
};

/// A server as another bouncer had it.
pub struct ImportedServer {
    /// Its `zulip_org_id`.
    pub uuid: Uuid,
    /// What its key hashes to.
    pub key: KeyHash,
    /// Its host name, lower case.
    pub hostname: String,
    /// Its administrator's e-mail address.
    pub contact_email: String,
    /// What it last said of its version.
    pub version: Option<String>,
    /// The version's merge base.
    pub merge_base: Option<String>,
    /// The API feature level.
    pub api_feature_level: Option<i32>,
    /// Whether it was deactivated.
    pub deactivated: bool,
    /// When it registered.
    pub created_at: Timestamp,
    /// When its registration last changed.
    pub updated_at: Timestamp,
    /// When it made its last request.
    pub last_request_at: Option<Timestamp>,
    /// What was agreed with it.
    pub plan: Option<Plan>,
    /// When it last uploaded audit rows.
    pub audit_log_updated_at: Option<Timestamp>,
}

impl Registry {
    /// Stores servers, or says what would become of them. One that talks to us already is not changed.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was stored then.
    pub async fn import_servers(
        &self,
        batch: &[Incoming<ImportedServer>],
        storing: Storing,
    ) -> Result<Vec<Imported>, RegistryError> {
        let uuids: Vec<Uuid> =
            batch.iter().filter_map(|incoming| incoming.row.as_ref()).map(|row| row.uuid).collect();
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
                        Some(row) => match here.get(&row.uuid) {
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
                                .filter(Column::Uuid.eq(row.uuid))
                                .exec(transaction)
                                .await?;
                            id
                        }
                        _ => id,
                    };
                    imported.push((Imported::of(*source_id, fate, id), *version));
                }
                if storing == Storing::Yes {
                    remember(transaction, SourceTable::Servers, &imported).await?;
                    let changes = stored(batch, &imported).map(|row| Change::Server(row.uuid));
                    announce(transaction, changes).await?;
                }
                Ok(imported)
            })
            .await?;
        for uuid in &uuids {
            self.inner.servers.invalidate(uuid);
        }
        Ok(imported.into_iter().map(|(imported, _)| imported).collect())
    }
}

fn compare(found: &Model, row: &ImportedServer) -> Fate {
    let last_heard = row.last_request_at.unwrap_or(row.updated_at).max(row.updated_at);
    if found.updated_at > row.updated_at.unix_millis()
        || found.last_request_at.is_some_and(|at| at > last_heard.unix_millis())
    {
        return Fate::NewerHere;
    }
    let is_same = found.key_hash.0 == row.key.expose()
        && found.hostname == row.hostname
        && found.contact_email == row.contact_email
        && found.version == row.version
        && found.merge_base == row.merge_base
        && found.api_feature_level == row.api_feature_level
        && found.deactivated == row.deactivated
        && found.updated_at == row.updated_at.unix_millis()
        && found.last_request_at == row.last_request_at.map(Timestamp::unix_millis)
        && plans::of_server(found) == row.plan
        && found.audit_log_updated_at == row.audit_log_updated_at.map(Timestamp::unix_millis);
    if is_same { Fate::Same } else { Fate::Changed }
}

fn model(row: &ImportedServer, is_new: bool) -> ActiveModel {
    let (plan_name, plan_status, plan_ends_at, plan_user_limit) = plans::columns(row.plan.as_ref());
    let mut model = ActiveModel {
        key_hash: Set(RedactedBytes(row.key.expose().to_vec())),
        previous_key_hash: Set(None),
        previous_key_until: Set(None),
        hostname: Set(row.hostname.clone()),
        contact_email: Set(row.contact_email.clone()),
        version: Set(row.version.clone()),
        merge_base: Set(row.merge_base.clone()),
        api_feature_level: Set(row.api_feature_level),
        deactivated: Set(row.deactivated),
        updated_at: Set(row.updated_at.unix_millis()),
        last_request_at: Set(row.last_request_at.map(Timestamp::unix_millis)),
        plan_name: Set(plan_name),
        plan_status: Set(plan_status),
        plan_ends_at: Set(plan_ends_at),
        plan_user_limit: Set(plan_user_limit),
        audit_log_updated_at: Set(row.audit_log_updated_at.map(Timestamp::unix_millis)),
        ..Default::default()
    };
    if is_new {
        model.uuid = Set(row.uuid);
        model.created_at = Set(row.created_at.unix_millis());
        model.user_count = Set(0);
        // Who served it before approved of it.
        model.approved = Set(true);
    }
    model
}
