//! `realm_counts`: statistics of realms, as their servers upload them.

use sea_orm::entity::prelude::*;

/// What a server counted on one of its realms in an hour or a day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "realm_counts")]
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
    /// Zulip's name for what was counted.
    pub property: String,
    /// What of it, such as `true` for bots; empty where it is not divided.
    pub subgroup: String,
    /// The end of the hour or day that was counted.
    pub end_time: i64,
    /// How many.
    pub value: i64,
}

/// What a count's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
