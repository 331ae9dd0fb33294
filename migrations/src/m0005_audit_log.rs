//! `audit_log`: what happened to a registration, and when.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(AuditLog::Table)
                    .col(
                        ColumnDef::new(AuditLog::Id)
                            .big_integer()
                            .not_null()
                            .primary_key()
                            .auto_increment(),
                    )
                    .col(ColumnDef::new(AuditLog::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(AuditLog::RemoteRealmId).big_integer().null())
                    .col(ColumnDef::new(AuditLog::EventType).integer().not_null())
                    .col(ColumnDef::new(AuditLog::EventTime).big_integer().not_null())
                    .col(ColumnDef::new(AuditLog::ExtraData).text().not_null())
                    .foreign_key(
                        ForeignKey::create()
                            .from(AuditLog::Table, AuditLog::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("audit_log_server")
                    .table(AuditLog::Table)
                    .col(AuditLog::ServerId)
                    .col(AuditLog::Id)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(AuditLog::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum AuditLog {
    Table,
    Id,
    ServerId,
    RemoteRealmId,
    EventType,
    EventTime,
    ExtraData,
}
