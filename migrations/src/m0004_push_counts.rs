//! `push_counts`: pushes asked for and accepted, per day.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(PushCounts::Table)
                    .col(ColumnDef::new(PushCounts::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(PushCounts::RemoteRealmId).big_integer().not_null())
                    .col(ColumnDef::new(PushCounts::EndTime).big_integer().not_null())
                    .col(ColumnDef::new(PushCounts::Received).big_integer().not_null())
                    .col(ColumnDef::new(PushCounts::Forwarded).big_integer().not_null())
                    .primary_key(
                        Index::create()
                            .col(PushCounts::ServerId)
                            .col(PushCounts::RemoteRealmId)
                            .col(PushCounts::EndTime),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(PushCounts::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum PushCounts {
    Table,
    ServerId,
    RemoteRealmId,
    EndTime,
    Received,
    Forwarded,
}
