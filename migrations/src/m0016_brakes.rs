//! `brakes`: the apps whose devices are not removed for the time being, whatever Apple or Google say.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Brakes::Table)
                    .col(ColumnDef::new(Brakes::Kind).small_integer().not_null())
                    .col(ColumnDef::new(Brakes::App).text().not_null())
                    .col(ColumnDef::new(Brakes::EngagedAt).big_integer().not_null())
                    .col(ColumnDef::new(Brakes::Sends).big_integer().not_null())
                    .col(ColumnDef::new(Brakes::Refusals).big_integer().not_null())
                    .primary_key(Index::create().col(Brakes::Kind).col(Brakes::App))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Brakes::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum Brakes {
    Table,
    Kind,
    App,
    EngagedAt,
    Sends,
    Refusals,
}
