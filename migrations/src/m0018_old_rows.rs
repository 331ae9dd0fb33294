//! Old rows are found without reading all others.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const AUDIT_LOG: &str = "audit_log_time";
const REALM_AUDIT_LOG: &str = "realm_audit_log_time_of_all";
const REALM_COUNTS: &str = "realm_counts_time";
const INSTALLATION_COUNTS: &str = "installation_counts_time";
const PUSH_COUNTS: &str = "push_counts_time";

/// On SQLite migrations run outside a transaction: what a stopped one made or took away is passed over.
fn index(name: &str, table: impl IntoTableRef) -> IndexCreateStatement {
    Index::create().name(name).table(table).if_not_exists().to_owned()
}

fn without(name: &str, table: impl IntoTableRef) -> IndexDropStatement {
    Index::drop().name(name).table(table).if_exists().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in [
            index(AUDIT_LOG, Table::AuditLog).col(Column::EventTime).to_owned(),
            index(REALM_AUDIT_LOG, Table::RealmAuditLog).col(Column::EventTime).to_owned(),
            // Counts of hours go long before those of days; the property tells which it is.
            index(REALM_COUNTS, Table::RealmCounts)
                .col(Column::Property)
                .col(Column::EndTime)
                .to_owned(),
            index(INSTALLATION_COUNTS, Table::InstallationCounts)
                .col(Column::Property)
                .col(Column::EndTime)
                .to_owned(),
            index(PUSH_COUNTS, Table::PushCounts).col(Column::EndTime).to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in [
            without(AUDIT_LOG, Table::AuditLog),
            without(REALM_AUDIT_LOG, Table::RealmAuditLog),
            without(REALM_COUNTS, Table::RealmCounts),
            without(INSTALLATION_COUNTS, Table::InstallationCounts),
            without(PUSH_COUNTS, Table::PushCounts),
        ] {
            manager.drop_index(index).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Table {
    AuditLog,
    RealmAuditLog,
    RealmCounts,
    InstallationCounts,
    PushCounts,
}

#[derive(DeriveIden)]
enum Column {
    EventTime,
    EndTime,
    Property,
}
