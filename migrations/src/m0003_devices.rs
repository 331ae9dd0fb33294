//! `devices`: where the notifications of a user go.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Devices::Table)
                    .col(
                        ColumnDef::new(Devices::Id)
                            .big_integer()
                            .not_null()
                            .primary_key()
                            .auto_increment(),
                    )
                    .col(ColumnDef::new(Devices::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(Devices::UserId).big_integer().null())
                    .col(ColumnDef::new(Devices::UserUuid).uuid().null())
                    .col(ColumnDef::new(Devices::Kind).small_integer().not_null())
                    .col(ColumnDef::new(Devices::Token).text().not_null())
                    // A token may be longer than an index takes; its digest stands for it there.
                    .col(ColumnDef::new(Devices::TokenDigest).binary_len(16).not_null())
                    .col(ColumnDef::new(Devices::IosAppId).text().null())
                    .col(ColumnDef::new(Devices::RemoteRealmId).big_integer().null())
                    .col(ColumnDef::new(Devices::RegisteredAt).big_integer().not_null())
                    .foreign_key(
                        ForeignKey::create()
                            .from(Devices::Table, Devices::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(Devices::Table, Devices::RemoteRealmId)
                            .to(Alias::new("remote_realms"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::SetNull),
                    )
                    .to_owned(),
            )
            .await?;
        // One row has exactly one of the two identities; NULLs never collide, so each index binds its own rows.
        manager
            .create_index(
                Index::create()
                    .name("devices_user_id")
                    .table(Devices::Table)
                    .col(Devices::ServerId)
                    .col(Devices::UserId)
                    .col(Devices::Kind)
                    .col(Devices::TokenDigest)
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("devices_user_uuid")
                    .table(Devices::Table)
                    .col(Devices::ServerId)
                    .col(Devices::UserUuid)
                    .col(Devices::Kind)
                    .col(Devices::TokenDigest)
                    .unique()
                    .to_owned(),
            )
            .await?;
        // A token that Apple or Google declare dead is removed on every server.
        manager
            .create_index(
                Index::create()
                    .name("devices_token")
                    .table(Devices::Table)
                    .col(Devices::TokenDigest)
                    .col(Devices::Kind)
                    .to_owned(),
            )
            .await?;
        // For `ON DELETE SET NULL` of a realm.
        manager
            .create_index(
                Index::create()
                    .name("devices_remote_realm")
                    .table(Devices::Table)
                    .col(Devices::RemoteRealmId)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Devices::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum Devices {
    Table,
    Id,
    ServerId,
    UserId,
    UserUuid,
    Kind,
    Token,
    TokenDigest,
    IosAppId,
    RemoteRealmId,
    RegisteredAt,
}
