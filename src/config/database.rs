//! `[database]`: where servers, realms and devices are remembered.

use std::{fmt, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::duration;

/// The database.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite://PATH` or `postgres://…`. Default `sqlite://push-bouncer.sqlite`, in the working directory.
    pub url: Option<String>,
    /// A file that holds the URL, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// Connections at most. Default 16.
    pub max_connections: u32,
    /// How long a statement may wait for a connection. Default 3 s.
    #[serde(deserialize_with = "duration::read")]
    pub acquire_timeout: Duration,
    /// How long a statement may take on PostgreSQL, or wait for a lock on SQLite. Default 5 s, at least 1 s.
    #[serde(deserialize_with = "duration::read")]
    pub statement_timeout: Duration,
    /// How long servers, realms and devices that are known are served from memory while the database fails; 0 for not
    /// at all. Default 10 min, at most 24 h: what is changed on another node meanwhile is not known here.
    #[serde(deserialize_with = "duration::read")]
    pub serve_from_memory_for: Duration,
    /// Whether the schema is brought up to date at start. Default true.
    pub auto_migrate: bool,
}

impl DatabaseConfig {
    /// The default `url`.
    pub const DEFAULT_URL: &'static str = "sqlite://push-bouncer.sqlite";
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            serve_from_memory_for: Duration::from_secs(10 * 60),
            auto_migrate: true,
        }
    }
}

// The URL may hold a password.
impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DatabaseConfig")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("serve_from_memory_for", &self.serve_from_memory_for)
            .field("auto_migrate", &self.auto_migrate)
            .finish_non_exhaustive()
    }
}
