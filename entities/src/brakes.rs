//! `brakes`: one row per app whose devices are not removed for the time being.

use sea_orm::entity::prelude::*;

/// An app whose push service calls so many devices bad that it is not believed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "brakes")]
pub struct Model {
    /// 1 for APNs, 2 for FCM, as in `devices`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: i16,
    /// The app's name in the configuration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub app: String,
    /// Since when.
    pub engaged_at: i64,
    /// Pushes in the window by then.
    pub sends: i64,
    /// How many of them called their device bad.
    pub refusals: i64,
}

/// What a brake's row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
