//! `registration_keys` and `registration_key_uses`: what phones seal their registrations with, and how often.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(RegistrationKeys::Table)
                    // Older versions made migrations on SQLite outside a transaction, and may have stopped in between.
                    .if_not_exists()
                    .col(
                        ColumnDef::new(RegistrationKeys::Id)
                            .big_integer()
                            .not_null()
                            .primary_key()
                            .auto_increment(),
                    )
                    .col(
                        ColumnDef::new(RegistrationKeys::PublicKey)
                            .binary_len(32)
                            .not_null()
                            .unique_key(),
                    )
                    .col(ColumnDef::new(RegistrationKeys::SealedPrivateKey).binary().not_null())
                    .col(ColumnDef::new(RegistrationKeys::CreatedAt).big_integer().not_null())
                    .col(ColumnDef::new(RegistrationKeys::RetiredAt).big_integer().null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(RegistrationKeyUses::Table)
                    .if_not_exists()
                    .col(ColumnDef::new(RegistrationKeyUses::KeyId).big_integer().not_null())
                    .col(ColumnDef::new(RegistrationKeyUses::EndTime).big_integer().not_null())
                    .col(ColumnDef::new(RegistrationKeyUses::Uses).big_integer().not_null())
                    .primary_key(
                        Index::create()
                            .col(RegistrationKeyUses::KeyId)
                            .col(RegistrationKeyUses::EndTime),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(RegistrationKeyUses::Table, RegistrationKeyUses::KeyId)
                            .to(RegistrationKeys::Table, RegistrationKeys::Id)
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for mut drop in [
            Table::drop().table(RegistrationKeyUses::Table).to_owned(),
            Table::drop().table(RegistrationKeys::Table).to_owned(),
        ] {
            manager.drop_table(drop.if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum RegistrationKeys {
    Table,
    Id,
    PublicKey,
    SealedPrivateKey,
    CreatedAt,
    RetiredAt,
}

#[derive(DeriveIden)]
enum RegistrationKeyUses {
    Table,
    KeyId,
    EndTime,
    Uses,
}
