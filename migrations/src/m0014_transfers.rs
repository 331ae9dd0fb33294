//! How often a registration was transferred: what a transfer's secret is bound to, so that it is good once.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column =
            ColumnDef::new(RemoteServers::Transfers).integer().not_null().default(0).to_owned();
        let statement = Table::alter().table(RemoteServers::Table).add_column(column).to_owned();
        manager.alter_table(statement).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statement = Table::alter()
            .table(RemoteServers::Table)
            .drop_column(RemoteServers::Transfers)
            .to_owned();
        manager.alter_table(statement).await
    }
}

#[derive(DeriveIden)]
enum RemoteServers {
    Table,
    Transfers,
}
