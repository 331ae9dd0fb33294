//! `import_positions`: how far the tables of another bouncer that only grow were read.

use sea_orm::entity::prelude::*;

/// A table of the database that was imported from.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_positions")]
pub struct Model {
    /// Which of its tables: 5 counts of servers, 6 counts of realms, 7 events on realms.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_table: i16,
    /// The key of the last row that was read.
    pub last_id: i64,
}

/// What a row is joined to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
