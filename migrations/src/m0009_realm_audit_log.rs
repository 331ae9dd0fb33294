//! `realm_audit_log`: what servers upload of what happened on their realms.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(RealmAuditLog::Table)
                    .col(ColumnDef::new(RealmAuditLog::ServerId).big_integer().not_null())
                    .col(ColumnDef::new(RealmAuditLog::RemoteId).big_integer().not_null())
                    .col(ColumnDef::new(RealmAuditLog::RealmId).big_integer().not_null())
                    .col(ColumnDef::new(RealmAuditLog::RemoteRealmId).big_integer().null())
                    .col(ColumnDef::new(RealmAuditLog::EventType).integer().not_null())
                    .col(ColumnDef::new(RealmAuditLog::EventTime).big_integer().not_null())
                    .col(ColumnDef::new(RealmAuditLog::Backfilled).boolean().not_null())
                    .col(ColumnDef::new(RealmAuditLog::ExtraData).text().not_null())
                    .col(ColumnDef::new(RealmAuditLog::UserCount).big_integer().null())
                    .primary_key(
                        Index::create().col(RealmAuditLog::ServerId).col(RealmAuditLog::RemoteId),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from(RealmAuditLog::Table, RealmAuditLog::ServerId)
                            .to(Alias::new("remote_servers"), Alias::new("id"))
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("realm_audit_log_time")
                    .table(RealmAuditLog::Table)
                    .col(RealmAuditLog::ServerId)
                    .col(RealmAuditLog::EventTime)
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("realm_audit_log_without_realm")
                    .table(RealmAuditLog::Table)
                    .col(RealmAuditLog::ServerId)
                    .col(RealmAuditLog::RemoteId)
                    .and_where(Expr::col(RealmAuditLog::RemoteRealmId).is_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(RealmAuditLog::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum RealmAuditLog {
    Table,
    ServerId,
    RemoteId,
    RealmId,
    RemoteRealmId,
    EventType,
    EventTime,
    Backfilled,
    ExtraData,
    UserCount,
}
