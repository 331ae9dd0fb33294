//! `tombstone_periods`: since when, until when and why our memory of devices may have holes.

use sea_orm::entity::prelude::*;

/// A time in which chat servers are told only of devices that are known to be gone.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tombstone_periods")]
pub struct Model {
    /// Why: `import` or `restored`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub cause: String,
    /// Since when.
    pub began_at: i64,
    /// When it ends by itself.
    pub ends_at: i64,
}

/// What a row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
