//! What decides whether a server or realm may push: approval, plan, users, and how fresh their number is.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The columns that servers and realms both have; without a plan the first four are null.
fn shared() -> [ColumnDef; 5] {
    [
        ColumnDef::new(Column::PlanName).string_len(64).null().to_owned(),
        ColumnDef::new(Column::PlanStatus).small_integer().null().to_owned(),
        ColumnDef::new(Column::PlanEndsAt).big_integer().null().to_owned(),
        ColumnDef::new(Column::PlanUserLimit).big_integer().null().to_owned(),
        ColumnDef::new(Column::UserCount).big_integer().not_null().default(0).to_owned(),
    ]
}

/// The columns that only servers have.
fn of_servers() -> [ColumnDef; 2] {
    [
        ColumnDef::new(Column::Approved).boolean().not_null().default(true).to_owned(),
        ColumnDef::new(Column::AuditLogUpdatedAt).big_integer().null().to_owned(),
    ]
}

fn name(table: &Tables) -> String {
    table.to_string()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement, which older versions did outside a transaction: whoever stopped in between goes on here.
        for (table, columns) in [
            (Tables::RemoteServers, [shared().to_vec(), of_servers().to_vec()].concat()),
            (Tables::RemoteRealms, shared().to_vec()),
        ] {
            for column in columns {
                if manager.has_column(name(&table), column.get_column_name()).await? {
                    continue;
                }
                let statement = Table::alter().table(table).add_column(column).to_owned();
                manager.alter_table(statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, columns) in [
            (Tables::RemoteServers, [shared().to_vec(), of_servers().to_vec()].concat()),
            (Tables::RemoteRealms, shared().to_vec()),
        ] {
            for column in columns.iter().rev() {
                let column = column.get_column_name();
                if !manager.has_column(name(&table), column.clone()).await? {
                    continue;
                }
                let statement =
                    Table::alter().table(table).drop_column(Alias::new(column)).to_owned();
                manager.alter_table(statement).await?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, DeriveIden)]
enum Tables {
    RemoteServers,
    RemoteRealms,
}

#[derive(DeriveIden)]
enum Column {
    PlanName,
    PlanStatus,
    PlanEndsAt,
    PlanUserLimit,
    UserCount,
    Approved,
    AuditLogUpdatedAt,
}
