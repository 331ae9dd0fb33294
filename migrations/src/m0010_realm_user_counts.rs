//! `realm_user_counts`: how many people use each realm, by the latest uploaded audit row.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(RealmUserCounts::Table)
                    .col(ColumnDef::new(RealmUserCounts::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(RealmUserCounts::RealmId).big_integer().not_null())
                    .col(ColumnDef::new(RealmUserCounts::RemoteId).big_integer().not_null())
                    .col(ColumnDef::new(RealmUserCounts::UserCount).big_integer().not_null())
                    .primary_key(
                        Index::create()
                            .col(RealmUserCounts::ServerId)
                            .col(RealmUserCounts::RealmId),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(RealmUserCounts::Table, RealmUserCounts::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(RealmUserCounts::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum RealmUserCounts {
    Table,
    ServerId,
    RealmId,
    RemoteId,
    UserCount,
}
