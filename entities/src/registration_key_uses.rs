//! `registration_key_uses`: how many registrations were sealed for a key, per day.

use sea_orm::entity::prelude::*;

/// One day's registrations of a key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registration_key_uses")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: i64,
    /// The end of the day: the next midnight, UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub end_time: i64,
    /// Sealed registrations that the key opened.
    pub uses: i64,
}

/// What a use's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
