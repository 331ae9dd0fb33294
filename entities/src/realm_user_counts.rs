//! `realm_user_counts`: how many people use each realm of each server.

use sea_orm::entity::prelude::*;

/// How many people use a realm, by the latest audit row that says so.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "realm_user_counts")]
pub struct Model {
    /// The server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server_id: i64,
    /// The realm's number on that server; the server need not have named the realm itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub realm_id: i64,
    /// The number of the audit row that says so.
    pub remote_id: i64,
    /// How many, bots aside.
    pub user_count: i64,
}

/// What a realm's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
