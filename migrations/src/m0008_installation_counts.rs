//! `installation_counts`: the statistics of whole servers that they upload.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(InstallationCounts::Table)
                    .col(ColumnDef::new(InstallationCounts::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(InstallationCounts::RemoteId).big_integer().not_null())
                    .col(ColumnDef::new(InstallationCounts::Property).string_len(32).not_null())
                    .col(ColumnDef::new(InstallationCounts::Subgroup).string_len(16).not_null())
                    .col(ColumnDef::new(InstallationCounts::EndTime).big_integer().not_null())
                    .col(ColumnDef::new(InstallationCounts::Value).big_integer().not_null())
                    .primary_key(
                        Index::create()
                            .col(InstallationCounts::ServerId)
                            .col(InstallationCounts::RemoteId),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(InstallationCounts::Table, InstallationCounts::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("installation_counts_content")
                    .table(InstallationCounts::Table)
                    .col(InstallationCounts::ServerId)
                    .col(InstallationCounts::Property)
                    .col(InstallationCounts::Subgroup)
                    .col(InstallationCounts::EndTime)
                    .unique()
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(InstallationCounts::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum InstallationCounts {
    Table,
    ServerId,
    RemoteId,
    Property,
    Subgroup,
    EndTime,
    Value,
}
