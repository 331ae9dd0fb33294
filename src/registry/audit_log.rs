//! What happened to registrations.

use entities::audit_log;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait as _};
use serde_json::{Value, json};

use super::ROWS_PER_STATEMENT;
use crate::clock::Timestamp;

/// An event in the life of a registration, by Zulip's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A server registered.
    ServerCreated,
    /// A server was deactivated, by its administrator or by the operator.
    ServerDeactivated,
    /// The operator reactivated a server.
    ServerReactivated,
    /// The operator set or took away a plan of a server or realm.
    PlanChanged,
    /// A new installation proved that it holds the host name, and took over the registration.
    ServerTransferred,
    /// The operator approved a registration; our own number.
    ServerApproved,
    /// The operator cleared devices of suspicion; our own number.
    DevicesRestored,
    /// The operator removed devices that were under suspicion; our own number.
    DevicesExpired,
    /// A server uploaded another value of its realm.
    RealmValueUpdated,
    /// A realm was missing in an upload of its server.
    RealmLocallyDeleted,
    /// It was there again.
    RealmRestored,
}

impl AuditEvent {
    fn number(self) -> i32 {
        match self {
            Self::ServerDeactivated => 10201,
            Self::ServerReactivated => 10202,
            Self::PlanChanged => 10204,
            Self::ServerCreated => 10215,
            Self::ServerTransferred => 10216,
            Self::ServerApproved => 10290,
            Self::DevicesRestored => 10291,
            Self::DevicesExpired => 10292,
            Self::RealmValueUpdated => 20001,
            Self::RealmLocallyDeleted => 20003,
            Self::RealmRestored => 20004,
        }
    }
}

/// Something that happened, to be noted in the transaction of the change itself.
pub(super) struct AuditEntry {
    pub(super) server_id: i64,
    /// The realm it happened to, if it was one.
    pub(super) remote_realm_id: Option<i64>,
    pub(super) event: AuditEvent,
    /// What else is to be known; an object.
    pub(super) extra_data: Value,
}

impl AuditEntry {
    /// Something that happened to a server, of which nothing else is to be known.
    pub(super) fn of_server(server_id: i64, event: AuditEvent) -> Self {
        Self { server_id, remote_realm_id: None, event, extra_data: json!({}) }
    }

    fn row(self, now: Timestamp) -> audit_log::ActiveModel {
        audit_log::ActiveModel {
            server_id: Set(self.server_id),
            remote_realm_id: Set(self.remote_realm_id),
            event_type: Set(self.event.number()),
            event_time: Set(now.unix_millis()),
            extra_data: Set(self.extra_data.to_string()),
            ..Default::default()
        }
    }
}

/// Notes an event.
pub(super) async fn note<C: ConnectionTrait>(
    connection: &C,
    entry: AuditEntry,
    now: Timestamp,
) -> Result<(), DbErr> {
    note_all(connection, vec![entry], now).await
}

/// Notes many events.
pub(super) async fn note_all<C: ConnectionTrait>(
    connection: &C,
    entries: Vec<AuditEntry>,
    now: Timestamp,
) -> Result<(), DbErr> {
    let mut entries = entries.into_iter().map(|entry| entry.row(now)).peekable();
    while entries.peek().is_some() {
        audit_log::Entity::insert_many(entries.by_ref().take(ROWS_PER_STATEMENT))
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}
