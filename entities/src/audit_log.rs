//! `audit_log`: what happened to a server's registration, and when.

use sea_orm::entity::prelude::*;

/// One event in the life of a registration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// Our own key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The server it happened to.
    pub server_id: i64,
    /// The realm it happened to, if it was one.
    pub remote_realm_id: Option<i64>,
    /// Zulip's number for the event, such as 10215 for "created".
    pub event_type: i32,
    /// When it happened.
    pub event_time: i64,
    /// What else is to be known, as a JSON object.
    pub extra_data: String,
}

/// What an event's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
