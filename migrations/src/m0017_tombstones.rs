//! Devices that are gone, and those under suspicion, are found without reading all others.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const DEVICES_GONE: &str = "devices_gone_at";
const DEVICES_SUSPECTED: &str = "devices_suspected_at";
const E2EE_EXPIRED: &str = "e2ee_devices_expired_at";
const E2EE_SUSPECTED: &str = "e2ee_devices_suspected_at";

/// Only the rows that have the moment are in the index: nearly all rows cost nothing.
///
/// Older versions made migrations on SQLite outside a transaction: what a stopped one made or took away is passed over.
fn index<C>(name: &str, table: impl IntoTableRef, moment: C) -> IndexCreateStatement
where
    C: IntoIden + Copy + 'static,
{
    Index::create()
        .name(name)
        .table(table)
        .col(moment)
        .and_where(Expr::col(moment).is_not_null())
        .if_not_exists()
        .to_owned()
}

fn without(name: &str, table: impl IntoTableRef) -> IndexDropStatement {
    Index::drop().name(name).table(table).if_exists().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in [
            index(DEVICES_GONE, Devices::Table, Devices::GoneAt),
            index(DEVICES_SUSPECTED, Devices::Table, Devices::SuspectedAt),
            index(E2EE_EXPIRED, E2eeDevices::Table, E2eeDevices::ExpiredAt),
            index(E2EE_SUSPECTED, E2eeDevices::Table, E2eeDevices::SuspectedAt),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in [DEVICES_GONE, DEVICES_SUSPECTED] {
            manager.drop_index(without(name, Devices::Table)).await?;
        }
        for name in [E2EE_EXPIRED, E2EE_SUSPECTED] {
            manager.drop_index(without(name, E2eeDevices::Table)).await?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, DeriveIden)]
enum Devices {
    Table,
    GoneAt,
    SuspectedAt,
}

#[derive(Clone, Copy, DeriveIden)]
enum E2eeDevices {
    Table,
    ExpiredAt,
    SuspectedAt,
}
