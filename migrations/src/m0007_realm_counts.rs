//! `realm_counts`: the statistics of realms that servers upload.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(RealmCounts::Table)
                    .col(ColumnDef::new(RealmCounts::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(RealmCounts::RemoteId).big_integer().not_null())
                    .col(ColumnDef::new(RealmCounts::RealmId).big_integer().not_null())
                    .col(ColumnDef::new(RealmCounts::RemoteRealmId).big_integer().null())
                    .col(ColumnDef::new(RealmCounts::Property).string_len(32).not_null())
                    .col(ColumnDef::new(RealmCounts::Subgroup).string_len(16).not_null())
                    .col(ColumnDef::new(RealmCounts::EndTime).big_integer().not_null())
                    .col(ColumnDef::new(RealmCounts::Value).big_integer().not_null())
                    .primary_key(
                        Index::create().col(RealmCounts::ServerId).col(RealmCounts::RemoteId),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(RealmCounts::Table, RealmCounts::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("realm_counts_content")
                    .table(RealmCounts::Table)
                    .col(RealmCounts::ServerId)
                    .col(RealmCounts::RealmId)
                    .col(RealmCounts::Property)
                    .col(RealmCounts::Subgroup)
                    .col(RealmCounts::EndTime)
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("realm_counts_without_realm")
                    .table(RealmCounts::Table)
                    .col(RealmCounts::ServerId)
                    .col(RealmCounts::RemoteId)
                    .and_where(Expr::col(RealmCounts::RemoteRealmId).is_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(RealmCounts::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum RealmCounts {
    Table,
    ServerId,
    RemoteId,
    RealmId,
    RemoteRealmId,
    Property,
    Subgroup,
    EndTime,
    Value,
}
