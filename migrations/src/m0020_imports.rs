//! What was taken from another bouncer, by its numbers there, and how long our memory of devices has holes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const BY_TARGET: &str = "import_rows_target";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(ImportRows::Table)
                    .if_not_exists()
                    .col(ColumnDef::new(ImportRows::SourceTable).small_integer().not_null())
                    .col(ColumnDef::new(ImportRows::SourceId).big_integer().not_null())
                    .col(ColumnDef::new(ImportRows::TargetId).big_integer().null())
                    .col(ColumnDef::new(ImportRows::Version).big_integer().not_null())
                    .primary_key(
                        Index::create().col(ImportRows::SourceTable).col(ImportRows::SourceId),
                    )
                    .to_owned(),
            )
            .await?;
        // Of a device that several rows of the source name, one may go and the others stay. Without the table in
        // front nobody takes this index for the primary key where there are no statistics yet.
        manager
            .create_index(
                Index::create()
                    .name(BY_TARGET)
                    .table(ImportRows::Table)
                    .if_not_exists()
                    .col(ImportRows::TargetId)
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(ImportPositions::Table)
                    .if_not_exists()
                    .col(
                        ColumnDef::new(ImportPositions::SourceTable)
                            .small_integer()
                            .not_null()
                            .primary_key(),
                    )
                    .col(ColumnDef::new(ImportPositions::LastId).big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(TombstonePeriods::Table)
                    .if_not_exists()
                    .col(ColumnDef::new(TombstonePeriods::Cause).text().not_null().primary_key())
                    .col(ColumnDef::new(TombstonePeriods::BeganAt).big_integer().not_null())
                    .col(ColumnDef::new(TombstonePeriods::EndsAt).big_integer().not_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let without = |table: TableRef| Table::drop().table(table).if_exists().to_owned();
        manager.drop_table(without(TombstonePeriods::Table.into_table_ref())).await?;
        manager.drop_table(without(ImportPositions::Table.into_table_ref())).await?;
        manager.drop_table(without(ImportRows::Table.into_table_ref())).await
    }
}

#[derive(DeriveIden)]
enum ImportRows {
    Table,
    SourceTable,
    SourceId,
    TargetId,
    Version,
}

#[derive(DeriveIden)]
enum ImportPositions {
    Table,
    SourceTable,
    LastId,
}

#[derive(DeriveIden)]
enum TombstonePeriods {
    Table,
    Cause,
    BeganAt,
    EndsAt,
}
