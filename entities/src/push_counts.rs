//! `push_counts`: how many pushes were asked for and accepted, per day, server and realm.

use sea_orm::entity::prelude::*;

/// One day's pushes of a server, or of one of its realms.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "push_counts")]
pub struct Model {
    /// The server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub server_id: i64,
    /// The realm, or 0 for the whole server.
    #[sea_orm(primary_key, auto_increment = false)]
    pub remote_realm_id: i64,
    /// The end of the day: the next midnight, UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub end_time: i64,
    /// Pushes asked for: devices of all notifications.
    pub received: i64,
    /// Pushes that Apple or Google accepted.
    pub forwarded: i64,
}

/// What a count's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
