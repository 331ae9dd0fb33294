//! `import_rows`: which rows of another bouncer were looked at, and what became of them here.

use sea_orm::entity::prelude::*;

/// A row of the database that was imported from.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_rows")]
pub struct Model {
    /// Which of its tables: 1 servers, 2 realms, 3 devices, 4 encrypted devices.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_table: i16,
    /// The row's key there.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: i64,
    /// Our key of the row it became; nothing when it was not taken.
    pub target_id: Option<i64>,
    /// What it was like, as far as one number can tell: another number is another row.
    pub version: i64,
}

/// What a row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
