//! `remote_realms`: the organizations on registered servers.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(RemoteRealms::Table)
                    .col(
                        ColumnDef::new(RemoteRealms::Id)
                            .big_integer()
                            .not_null()
                            .primary_key()
                            .auto_increment(),
                    )
                    .col(ColumnDef::new(RemoteRealms::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(RemoteRealms::Uuid).uuid().not_null().unique_key())
                    .col(ColumnDef::new(RemoteRealms::RealmId).big_integer().not_null())
                    .col(ColumnDef::new(RemoteRealms::Host).text().not_null())
                    .col(ColumnDef::new(RemoteRealms::Name).text().not_null())
                    .col(ColumnDef::new(RemoteRealms::OrgType).integer().not_null())
                    .col(ColumnDef::new(RemoteRealms::AuthenticationMethods).text().not_null())
                    .col(ColumnDef::new(RemoteRealms::IsSystemBotRealm).boolean().not_null())
                    .col(ColumnDef::new(RemoteRealms::Deactivated).boolean().not_null())
                    .col(ColumnDef::new(RemoteRealms::LocallyDeleted).boolean().not_null())
                    .col(ColumnDef::new(RemoteRealms::DateCreated).big_integer().not_null())
                    .col(ColumnDef::new(RemoteRealms::CreatedAt).big_integer().not_null())
                    .col(ColumnDef::new(RemoteRealms::LastRequestAt).big_integer().null())
                    .foreign_key(
                        ForeignKey::create()
                            .from(RemoteRealms::Table, RemoteRealms::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("remote_realms_server")
                    .table(RemoteRealms::Table)
                    .col(RemoteRealms::ServerId)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(RemoteRealms::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum RemoteRealms {
    Table,
    Id,
    ServerId,
    Uuid,
    RealmId,
    Host,
    Name,
    OrgType,
    AuthenticationMethods,
    IsSystemBotRealm,
    Deactivated,
    LocallyDeleted,
    DateCreated,
    CreatedAt,
    LastRequestAt,
}
