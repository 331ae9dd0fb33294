//! Which rows of the source were looked at.

use std::collections::HashMap;

use entities::{
    import_positions,
    import_rows::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr,
    EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::OnConflict,
};

use super::{GrowingTable, Imported, ROWS_PER_STATEMENT, SourceTable, Storing};
use crate::registry::{Registry, RegistryError};

/// A row of the source that was looked at.
#[derive(Clone, Copy, Debug)]
pub struct SeenRow {
    /// Its key there.
    pub source_id: i64,
    /// Our key of what it became; nothing when it was not taken.
    pub target_id: Option<i64>,
    /// What it was like.
    pub version: i64,
}

impl Registry {
    /// The rows of a table that were looked at, above one key and up to another, in order.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn seen_rows(
        &self,
        table: SourceTable,
        above: i64,
        up_to: i64,
    ) -> Result<Vec<SeenRow>, RegistryError> {
        let query = Entity::find()
            .filter(Column::SourceTable.eq(table.number()))
            .filter(Column::SourceId.gt(above))
            .filter(Column::SourceId.lte(up_to))
            .order_by_asc(Column::SourceId);
        let rows = self.ask(|| query.clone().all(&self.inner.database)).await?;
        Ok(rows.iter().map(seen).collect())
    }

    /// Which of these rows of a table were looked at; for a few of them.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn seen_rows_with(
        &self,
        table: SourceTable,
        source_ids: &[i64],
    ) -> Result<Vec<SeenRow>, RegistryError> {
        let mut found = Vec::with_capacity(source_ids.len());
        for ids in source_ids.chunks(ROWS_PER_STATEMENT) {
            let query = Entity::find()
                .filter(Column::SourceTable.eq(table.number()))
                .filter(Column::SourceId.is_in(ids.iter().copied()));
            let rows = self.ask(|| query.clone().all(&self.inner.database)).await?;
            found.extend(rows.iter().map(seen));
        }
        Ok(found)
    }

    /// How many rows of a table were looked at, and how many of them are here.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn count_seen_rows(&self, table: SourceTable) -> Result<(u64, u64), RegistryError> {
        let all = Entity::find().filter(Column::SourceTable.eq(table.number()));
        let taken = all.clone().filter(Column::TargetId.is_not_null());
        let all = self.ask(|| all.clone().count(&self.inner.database)).await?;
        let taken = self.ask(|| taken.clone().count(&self.inner.database)).await?;
        Ok((all, taken))
    }

    /// Forgets that rows were looked at: they are not at the source any more.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn import_forget(
        &self,
        table: SourceTable,
        source_ids: &[i64],
    ) -> Result<(), RegistryError> {
        self.import_batch(Storing::Yes, async |transaction| {
            forget(transaction, table, source_ids).await.map(|_| ())
        })
        .await
    }

    /// Up to which key a table that only grows was read.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn import_position(&self, table: GrowingTable) -> Result<i64, RegistryError> {
        let query = import_positions::Entity::find_by_id(table.number());
        let row = self.ask(|| query.clone().one(&self.inner.database)).await?;
        Ok(row.map_or(0, |row| row.last_id))
    }
}

fn seen(row: &Model) -> SeenRow {
    SeenRow { source_id: row.source_id, target_id: row.target_id, version: row.version }
}

/// Notes what rows became; their versions stand beside them.
pub(super) async fn remember(
    transaction: &DatabaseTransaction,
    table: SourceTable,
    rows: &[(Imported, i64)],
) -> Result<(), DbErr> {
    let conflict = OnConflict::columns([Column::SourceTable, Column::SourceId])
        .update_columns([Column::TargetId, Column::Version])
        .to_owned();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let models = rows.iter().map(|(imported, version)| ActiveModel {
            source_table: Set(table.number()),
            source_id: Set(imported.source_id),
            target_id: Set(imported.target_id),
            version: Set(*version),
        });
        Entity::insert_many(models)
            .on_conflict(conflict.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Forgets rows that are not at the source any more; gives our keys of what they were, with their versions.
pub(super) async fn forget(
    transaction: &DatabaseTransaction,
    table: SourceTable,
    source_ids: &[i64],
) -> Result<HashMap<i64, i64>, DbErr> {
    let mut targets = HashMap::new();
    for ids in source_ids.chunks(ROWS_PER_STATEMENT) {
        let deleted = Entity::delete_many()
            .filter(Column::SourceTable.eq(table.number()))
            .filter(Column::SourceId.is_in(ids.iter().copied()))
            .exec_with_returning(transaction)
            .await?;
        for row in deleted {
            let Some(target) = row.target_id else { continue };
            let version = targets.entry(target).or_insert(row.version);
            *version = row.version.max(*version);
        }
    }
    Ok(targets)
}

/// Notes how far a table that only grows was read.
pub(super) async fn move_on<C: ConnectionTrait>(
    connection: &C,
    table: GrowingTable,
    last_id: i64,
) -> Result<(), DbErr> {
    let row =
        import_positions::ActiveModel { source_table: Set(table.number()), last_id: Set(last_id) };
    let conflict = OnConflict::column(import_positions::Column::SourceTable)
        .update_column(import_positions::Column::LastId)
        .to_owned();
    import_positions::Entity::insert(row)
        .on_conflict(conflict)
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}
