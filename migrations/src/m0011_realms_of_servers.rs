//! The realms of a server are found by their number there, and by whether the server still names them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const BY_SERVER: &str = "remote_realms_server";
const BY_NUMBER: &str = "remote_realms_number";
const BY_PRESENCE: &str = "remote_realms_presence";

/// Older versions made migrations on SQLite outside a transaction: what a stopped one made or took away is passed over.
fn index(name: &str, columns: &[RemoteRealms]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(RemoteRealms::Table).if_not_exists();
    for column in columns {
        index.col(*column);
    }
    index
}

fn without(name: &str) -> IndexDropStatement {
    Index::drop().name(name).table(RemoteRealms::Table).if_exists().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use RemoteRealms::{LocallyDeleted, RealmId, ServerId};
        manager.create_index(index(BY_NUMBER, &[ServerId, RealmId])).await?;
        manager.create_index(index(BY_PRESENCE, &[ServerId, LocallyDeleted])).await?;
        // Both begin with the server.
        manager.drop_index(without(BY_SERVER)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_index(index(BY_SERVER, &[RemoteRealms::ServerId])).await?;
        manager.drop_index(without(BY_PRESENCE)).await?;
        manager.drop_index(without(BY_NUMBER)).await
    }
}

#[derive(Clone, Copy, DeriveIden)]
enum RemoteRealms {
    Table,
    ServerId,
    RealmId,
    LocallyDeleted,
}
