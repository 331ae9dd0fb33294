//! The schema of push-bouncer: one change per migration, each of them reversible.

pub use sea_orm_migration::{MigratorTrait, SchemaManager};
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, EntityTrait as _, QueryOrder as _},
    seaql_migrations,
};

mod m0001_remote_servers;
mod m0002_remote_realms;
mod m0003_devices;
mod m0004_push_counts;
mod m0005_audit_log;
mod m0006_standing;
mod m0007_realm_counts;
mod m0008_installation_counts;
mod m0009_realm_audit_log;
mod m0010_realm_user_counts;
mod m0011_realms_of_servers;
mod m0012_e2ee_devices;
mod m0013_registration_keys;
mod m0014_transfers;
mod m0015_gone_devices;
mod m0016_brakes;
mod m0017_tombstones;
mod m0018_old_rows;
mod m0020_imports;

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_remote_servers::Migration),
            Box::new(m0002_remote_realms::Migration),
            Box::new(m0003_devices::Migration),
            Box::new(m0004_push_counts::Migration),
            Box::new(m0005_audit_log::Migration),
            Box::new(m0006_standing::Migration),
            Box::new(m0007_realm_counts::Migration),
            Box::new(m0008_installation_counts::Migration),
            Box::new(m0009_realm_audit_log::Migration),
            Box::new(m0010_realm_user_counts::Migration),
            Box::new(m0011_realms_of_servers::Migration),
            Box::new(m0012_e2ee_devices::Migration),
            Box::new(m0013_registration_keys::Migration),
            Box::new(m0014_transfers::Migration),
            Box::new(m0015_gone_devices::Migration),
            Box::new(m0016_brakes::Migration),
            Box::new(m0017_tombstones::Migration),
            Box::new(m0018_old_rows::Migration),
            Box::new(m0020_imports::Migration),
        ]
    }
}

/// The names of the migrations that a database says it has, oldest first, also those that this program does not
/// know. Changes nothing: a database without the table has none.
///
/// # Errors
///
/// When the database does not answer.
pub async fn recorded<C: ConnectionTrait>(database: &C) -> Result<Vec<String>, DbErr>
where
    for<'c> &'c C: IntoSchemaManagerConnection<'c>,
{
    if !SchemaManager::new(database).has_table("seaql_migrations").await? {
        return Ok(Vec::new());
    }
    let rows = seaql_migrations::Entity::find()
        .order_by_asc(seaql_migrations::Column::Version)
        .all(database)
        .await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}
