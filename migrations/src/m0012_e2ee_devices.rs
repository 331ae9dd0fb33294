//! `e2ee_devices`: where end-to-end encrypted notifications go.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(E2eeDevices::Table)
                    .col(
                        ColumnDef::new(E2eeDevices::Id)
                            .big_integer()
                            .not_null()
                            .primary_key()
                            .auto_increment(),
                    )
                    .col(ColumnDef::new(E2eeDevices::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(E2eeDevices::RemoteRealmId).big_integer().not_null())
                    .col(ColumnDef::new(E2eeDevices::Kind).small_integer().not_null())
                    .col(ColumnDef::new(E2eeDevices::Token).text().not_null())
                    // A token may be longer than an index takes; its digest stands for it there.
                    .col(ColumnDef::new(E2eeDevices::TokenDigest).binary_len(16).not_null())
                    .col(ColumnDef::new(E2eeDevices::TokenId).big_integer().null())
                    .col(ColumnDef::new(E2eeDevices::PushAccountId).big_integer().null())
                    .col(ColumnDef::new(E2eeDevices::IosAppId).text().null())
                    .col(ColumnDef::new(E2eeDevices::RegisteredAt).big_integer().not_null())
                    .col(ColumnDef::new(E2eeDevices::ExpiredAt).big_integer().null())
                    .foreign_key(
                        ForeignKey::create()
                            .from(E2eeDevices::Table, E2eeDevices::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(E2eeDevices::Table, E2eeDevices::RemoteRealmId)
                            .to(Alias::new("remote_realms"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        // A row has exactly one of token id (Zulip 12) and push account (Zulip 11); NULLs never collide, so
        // each index binds its own rows.
        manager
            .create_index(
                Index::create()
                    .name("e2ee_devices_token_id")
                    .table(E2eeDevices::Table)
                    .col(E2eeDevices::RemoteRealmId)
                    .col(E2eeDevices::TokenId)
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("e2ee_devices_push_account")
                    .table(E2eeDevices::Table)
                    .col(E2eeDevices::RemoteRealmId)
                    .col(E2eeDevices::PushAccountId)
                    .col(E2eeDevices::TokenDigest)
                    .unique()
                    .to_owned(),
            )
            .await?;
        // For `ON DELETE CASCADE` of a server.
        manager
            .create_index(
                Index::create()
                    .name("e2ee_devices_server")
                    .table(E2eeDevices::Table)
                    .col(E2eeDevices::ServerId)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(E2eeDevices::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum E2eeDevices {
    Table,
    Id,
    ServerId,
    RemoteRealmId,
    Kind,
    Token,
    TokenDigest,
    TokenId,
    PushAccountId,
    IosAppId,
    RegisteredAt,
    ExpiredAt,
}
