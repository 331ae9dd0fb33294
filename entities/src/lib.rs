//! The tables of push-bouncer as SeaORM entities, one file per table.
//!
//! Moments are `i64` milliseconds since the Unix epoch: one form on SQLite and PostgreSQL.
//! Nothing outside the registry names these types; it turns them into words of the domain.

pub mod audit_log;
pub mod devices;
pub mod push_counts;
pub mod redacted;
pub mod remote_realms;
pub mod remote_servers;
