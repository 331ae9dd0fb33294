//! `remote_servers`: the registered self-hosted servers.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(RemoteServers::Table)
                    .col(
                        ColumnDef::new(RemoteServers::Id)
                            .big_integer()
                            .not_null()
                            .primary_key()
                            .auto_increment(),
                    )
                    .col(ColumnDef::new(RemoteServers::Uuid).uuid().not_null().unique_key())
                    .col(ColumnDef::new(RemoteServers::KeyHash).binary().not_null())
                    .col(ColumnDef::new(RemoteServers::PreviousKeyHash).binary().null())
                    .col(ColumnDef::new(RemoteServers::PreviousKeyUntil).big_integer().null())
                    .col(ColumnDef::new(RemoteServers::Hostname).string_len(128).not_null())
                    .col(ColumnDef::new(RemoteServers::ContactEmail).string_len(254).not_null())
                    .col(ColumnDef::new(RemoteServers::Version).string_len(128).null())
                    .col(ColumnDef::new(RemoteServers::MergeBase).string_len(128).null())
                    .col(ColumnDef::new(RemoteServers::ApiFeatureLevel).integer().null())
                    .col(ColumnDef::new(RemoteServers::Deactivated).boolean().not_null())
                    .col(ColumnDef::new(RemoteServers::CreatedAt).big_integer().not_null())
                    .col(ColumnDef::new(RemoteServers::UpdatedAt).big_integer().not_null())
                    .col(ColumnDef::new(RemoteServers::LastRequestAt).big_integer().null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("remote_servers_hostname")
                    .table(RemoteServers::Table)
                    .col(RemoteServers::Hostname)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(RemoteServers::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum RemoteServers {
    Table,
    Id,
    Uuid,
    KeyHash,
    PreviousKeyHash,
    PreviousKeyUntil,
    Hostname,
    ContactEmail,
    Version,
    MergeBase,
    ApiFeatureLevel,
    Deactivated,
    CreatedAt,
    UpdatedAt,
    LastRequestAt,
}
