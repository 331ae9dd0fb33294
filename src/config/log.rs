//! `[log]`: what is logged, and how.

use std::io::IsTerminal as _;

use serde::Deserialize;

/// The log, on standard error. `RUST_LOG` wins over the level.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives as of `RUST_LOG`. Default `info`.
    pub level: String,
    /// How a line looks. Default `auto`.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` on a terminal, else `json`.
    #[default]
    Auto,
    /// For a person.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Whether lines are JSON, where standard error leads now.
    #[must_use]
    pub fn is_json(self) -> bool {
        match self {
            Self::Auto => !std::io::stderr().is_terminal(),
            Self::Pretty => false,
            Self::Json => true,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}
