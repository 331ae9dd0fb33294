//! The tables of push-bouncer as SeaORM entities, one file per table.
//!
//! Moments are `i64` milliseconds since the Unix epoch: one form on SQLite and PostgreSQL.
//! Nothing outside the registry names these types; it turns them into words of the domain.

pub mod audit_log;
pub mod brakes;
pub mod devices;
pub mod e2ee_devices;
pub mod import_positions;
pub mod import_rows;
pub mod installation_counts;
pub mod push_counts;
pub mod realm_audit_log;
pub mod realm_counts;
pub mod realm_user_counts;
pub mod redacted;
pub mod registration_key_uses;
pub mod registration_keys;
pub mod remote_realms;
pub mod remote_servers;
pub mod tombstone_periods;
