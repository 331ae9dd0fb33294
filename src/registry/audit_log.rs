//! What happened to registrations.

use entities::audit_log;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait as _};

use crate::clock::Timestamp;

/// An event in the life of a registration, by Zulip's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A server registered.
    ServerCreated,
}

impl AuditEvent {
    fn number(self) -> i32 {
        match self {
            Self::ServerCreated => 10215,
        }
    }
}

/// Notes an event, in the transaction of the change itself.
pub(super) async fn note<C: ConnectionTrait>(
    connection: &C,
    server_id: i64,
    event: AuditEvent,
    now: Timestamp,
) -> Result<(), DbErr> {
    audit_log::Entity::insert(audit_log::ActiveModel {
        server_id: Set(server_id),
        remote_realm_id: Set(None),
        event_type: Set(event.number()),
        event_time: Set(now.unix_millis()),
        extra_data: Set("{}".to_owned()),
        ..Default::default()
    })
    .exec_without_returning(connection)
    .await
    .map(|_| ())
}
