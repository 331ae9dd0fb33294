//! Devices that went stay as tombstones for a while; devices whose word is in doubt are suspects; and on
//! Android phones a device belongs to one of several projects.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column a statement: SQLite takes no more.
        for column in [
            ColumnDef::new(Devices::GoneAt).big_integer().null().to_owned(),
            ColumnDef::new(Devices::InDoubt).boolean().not_null().default(false).to_owned(),
            ColumnDef::new(Devices::SuspectedAt).big_integer().null().to_owned(),
            ColumnDef::new(Devices::FcmApp).text().null().to_owned(),
        ] {
            add(manager, Devices::Table, column).await?;
        }
        for column in [
            ColumnDef::new(E2eeDevices::InDoubt).boolean().not_null().default(false).to_owned(),
            ColumnDef::new(E2eeDevices::SuspectedAt).big_integer().null().to_owned(),
            ColumnDef::new(E2eeDevices::FcmApp).text().null().to_owned(),
        ] {
            add(manager, E2eeDevices::Table, column).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What is gone would come back to life.
        let gone = Query::delete()
            .from_table(Devices::Table)
            .and_where(Expr::col(Devices::GoneAt).is_not_null())
            .to_owned();
        manager.execute(gone).await?;
        for column in [Devices::GoneAt, Devices::InDoubt, Devices::SuspectedAt, Devices::FcmApp] {
            drop_column(manager, Devices::Table, column).await?;
        }
        for column in [E2eeDevices::InDoubt, E2eeDevices::SuspectedAt, E2eeDevices::FcmApp] {
            drop_column(manager, E2eeDevices::Table, column).await?;
        }
        Ok(())
    }
}

async fn add(
    manager: &SchemaManager<'_>,
    table: impl IntoTableRef,
    column: ColumnDef,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

async fn drop_column(
    manager: &SchemaManager<'_>,
    table: impl IntoTableRef,
    column: impl IntoIden,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await
}

#[derive(DeriveIden)]
enum Devices {
    Table,
    GoneAt,
    InDoubt,
    SuspectedAt,
    FcmApp,
}

#[derive(DeriveIden)]
enum E2eeDevices {
    Table,
    InDoubt,
    SuspectedAt,
    FcmApp,
}
