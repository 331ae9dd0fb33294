//! `realm_audit_log`: what happened on realms, as their servers upload it.

use sea_orm::entity::prelude::*;

/// An event on a realm, mostly of one of its users.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "realm_audit_log")]
pub struct Model {
    /// The server that uploaded it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server_id: i64,
    /// The row's number on that server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub remote_id: i64,
    /// The realm's number on that server.
    pub realm_id: i64,
    /// The realm, if the server ever named it.
    pub remote_realm_id: Option<i64>,
    /// Zulip's number for the event, such as 101 for "user created".
    pub event_type: i32,
    /// When it happened, by the server's clock.
    pub event_time: i64,
    /// Whether the server reconstructed it later.
    pub backfilled: bool,
    /// What else is to be known, as a JSON object.
    pub extra_data: String,
    /// How many people used the realm after it, bots aside, where `extra_data` says so.
    pub user_count: Option<i64>,
}

/// What an event's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
