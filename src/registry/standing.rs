//! What is decided about servers and realms: plans, approval, deactivation; each with an audit row.

use entities::{remote_realms, remote_servers};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    QueryFilter as _, TransactionTrait as _,
};
use serde_json::{Map, Value, json};

use super::{
    AuditEvent, Registry, RegistryError,
    announcements::{Change, announce},
    audit_log::{self, AuditEntry},
    plans,
};
use crate::{
    clock::Timestamp,
    domain::{
        plan::{Plan, PlanStatus},
        remote_realm::RemoteRealm,
        remote_server::RemoteServer,
    },
};

/// Who decided, and why; it goes to the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The operator's name on the machine; absent when the server decided for itself.
    pub actor: Option<String>,
    /// In the operator's words.
    pub reason: Option<String>,
}

/// What became of a server's wish to be deactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deactivation {
    /// It is deactivated.
    Done,
    /// The server or one of its realms has a plan that goes on.
    PlanGoesOn,
}

impl Registry {
    /// Deactivates a server: its requests are refused from now on, and nothing of it is deleted.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn deactivate_server(
        &self,
        server: &RemoteServer,
        decision: &Decision,
    ) -> Result<Deactivation, RegistryError> {
        let now = self.inner.clock.now();
        let stored = async {
            let transaction = self.inner.database.begin().await?;
            let model =
                remote_servers::ActiveModel { deactivated: Set(true), ..Default::default() };
            change(&transaction, server, model, now).await?;
            if has_plan_that_goes_on(&transaction, server, now).await? {
                transaction.rollback().await?;
                return Ok(Deactivation::PlanGoesOn);
            }
            let event = AuditEvent::ServerDeactivated;
            note(&transaction, server, event, decision, json!({}), now).await?;
            announce(&transaction, [Change::Server(server.uuid)]).await?;
            transaction.commit().await?;
            Ok(Deactivation::Done)
        };
        let stored = self.carry_out(Box::pin(stored)).await;
        self.inner.servers.changed(&server.uuid, stored.is_ok());
        self.noted(stored)
    }

    /// Makes a deactivated server active again.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn reactivate_server(
        &self,
        server: &RemoteServer,
        decision: &Decision,
    ) -> Result<(), RegistryError> {
        let model = remote_servers::ActiveModel { deactivated: Set(false), ..Default::default() };
        self.decide_on(server, model, AuditEvent::ServerReactivated, decision, json!({})).await
    }

    /// Approves a server that waits for it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn approve_server(
        &self,
        server: &RemoteServer,
        decision: &Decision,
    ) -> Result<(), RegistryError> {
        let model = remote_servers::ActiveModel { approved: Set(true), ..Default::default() };
        self.decide_on(server, model, AuditEvent::ServerApproved, decision, json!({})).await
    }

    /// Sets the plan of a server, or takes it away.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn set_server_plan(
        &self,
        server: &RemoteServer,
        plan: Option<&Plan>,
        decision: &Decision,
    ) -> Result<(), RegistryError> {
        let (plan_name, plan_status, plan_ends_at, plan_user_limit) = plans::columns(plan);
        let model = remote_servers::ActiveModel {
            plan_name: Set(plan_name),
            plan_status: Set(plan_status),
            plan_ends_at: Set(plan_ends_at),
            plan_user_limit: Set(plan_user_limit),
            ..Default::default()
        };
        let change = json!({ "old": told(server.plan.as_ref()), "new": told(plan) });
        self.decide_on(server, model, AuditEvent::PlanChanged, decision, change).await
    }

    /// Sets the plan of a realm, or takes it away.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn set_realm_plan(
        &self,
        realm: &RemoteRealm,
        plan: Option<&Plan>,
        decision: &Decision,
    ) -> Result<(), RegistryError> {
        let (plan_name, plan_status, plan_ends_at, plan_user_limit) = plans::columns(plan);
        let model = remote_realms::ActiveModel {
            plan_name: Set(plan_name),
            plan_status: Set(plan_status),
            plan_ends_at: Set(plan_ends_at),
            plan_user_limit: Set(plan_user_limit),
            ..Default::default()
        };
        let change = json!({ "old": told(realm.plan.as_ref()), "new": told(plan) });
        let entry = AuditEntry {
            server_id: realm.server_id,
            remote_realm_id: Some(realm.id),
            event: AuditEvent::PlanChanged,
            extra_data: decided(decision, change),
        };
        let stored = async {
            let transaction = self.inner.database.begin().await?;
            remote_realms::Entity::update_many()
                .set(model)
                .filter(remote_realms::Column::Id.eq(realm.id))
                .exec(&transaction)
                .await?;
            audit_log::note(&transaction, entry, self.inner.clock.now()).await?;
            announce(&transaction, [Change::Realm(realm.uuid)]).await?;
            transaction.commit().await
        };
        let stored = self.carry_out(Box::pin(stored)).await;
        self.inner.realms.changed(&realm.uuid, stored.is_ok());
        self.noted(stored)
    }

    async fn decide_on(
        &self,
        server: &RemoteServer,
        model: remote_servers::ActiveModel,
        event: AuditEvent,
        decision: &Decision,
        more: Value,
    ) -> Result<(), RegistryError> {
        let now = self.inner.clock.now();
        let stored = async {
            let transaction = self.inner.database.begin().await?;
            change(&transaction, server, model, now).await?;
            note(&transaction, server, event, decision, more, now).await?;
            announce(&transaction, [Change::Server(server.uuid)]).await?;
            transaction.commit().await
        };
        let stored = self.carry_out(Box::pin(stored)).await;
        self.inner.servers.changed(&server.uuid, stored.is_ok());
        self.noted(stored)
    }
}

async fn change(
    transaction: &DatabaseTransaction,
    server: &RemoteServer,
    mut model: remote_servers::ActiveModel,
    now: Timestamp,
) -> Result<(), DbErr> {
    model.updated_at = Set(now.unix_millis());
    remote_servers::Entity::update_many()
        .set(model)
        .filter(remote_servers::Column::Id.eq(server.id))
        .exec(transaction)
        .await
        .map(|_| ())
}

/// Plans for communities and plans that end by themselves let a server go
/// (protocol, section 6.5).
async fn has_plan_that_goes_on(
    transaction: &DatabaseTransaction,
    server: &RemoteServer,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let goes_on = |plan: Option<Plan>| {
        plan.is_some_and(|plan| {
            plan.is_live(now) && !plan.is_community() && plan.status == PlanStatus::Active
        })
    };
    let of_server = remote_servers::Entity::find_by_id(server.id).one(transaction).await?;
    if of_server.is_some_and(|row| goes_on(plans::of_server(&row))) {
        return Ok(true);
    }
    let with_plans = remote_realms::Entity::find()
        .filter(remote_realms::Column::ServerId.eq(server.id))
        .filter(remote_realms::Column::PlanStatus.eq(PlanStatus::Active.number()))
        .all(transaction)
        .await?;
    Ok(with_plans.iter().any(|row| goes_on(plans::of_realm(row))))
}

async fn note(
    transaction: &DatabaseTransaction,
    server: &RemoteServer,
    event: AuditEvent,
    decision: &Decision,
    more: Value,
    now: Timestamp,
) -> Result<(), DbErr> {
    let extra_data = decided(decision, more);
    let entry = AuditEntry { extra_data, ..AuditEntry::of_server(server.id, event) };
    audit_log::note(transaction, entry, now).await
}

pub(super) fn decided(decision: &Decision, more: Value) -> Value {
    let mut data = match more {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    for (name, value) in [("actor", &decision.actor), ("reason", &decision.reason)] {
        if let Some(value) = value {
            data.insert(name.to_owned(), value.as_str().into());
        }
    }
    Value::Object(data)
}

fn told(plan: Option<&Plan>) -> Value {
    plan.map_or(Value::Null, |plan| {
        json!({
            "name": plan.name,
            "status": plan.status.as_str(),
            "ends_at": plan.ends_at.map(Timestamp::unix_seconds),
            "user_limit": plan.user_limit,
        })
    })
}
