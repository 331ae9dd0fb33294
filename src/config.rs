//! The settings: one TOML file, one struct and one file per section.
//!
//! Parsing is strict: an unknown key, a wrong type or settings that contradict each other are errors
//! that name the place, and a program with such a file does not start.

mod apns;
mod compat;
mod connections;
mod database;
mod difference;
mod dns;
mod duration;
mod entitlement;
mod fcm;
mod http;
mod internal;
mod limits;
mod log;
mod operator;
mod outbound;
mod proxy;
mod push;
mod redis;
mod registration;
mod retention;
mod syntax;
mod validation;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use apns::{ApnsAppConfig, ApnsEnvironment};
pub use compat::{CompatConfig, ReportDeletedDevices};
pub use connections::Connections;
pub use database::DatabaseConfig;
pub use dns::DnsConfig;
pub use entitlement::{EntitlementConfig, EntitlementRule};
pub use fcm::FcmAppConfig;
pub use http::{HttpConfig, TlsConfig, TlsMode};
pub use internal::InternalConfig;
pub use limits::{
    IpLimitConfig, LimitsConfig, LoginLimitConfig, Rate, ServerLimitConfig, TransferLimitConfig,
};
pub use log::{LogConfig, LogFormat};
pub use operator::OperatorConfig;
pub use outbound::OutboundConfig;
pub use proxy::{NoProxy, ProxyConfig, ProxyConfigError, ProxyUrl, ProxyUrlError};
pub use push::{BrakeConfig, PushConfig};
pub use redis::{OnRedisFailure, RedisConfig};
pub use registration::{EmailCheck, RegistrationConfig, RegistrationMode};
pub use retention::RetentionConfig;

/// All settings of one bouncer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How chat servers reach this bouncer: `https://` and a host, no path.
    pub public_url: String,
    /// The file with the secret of which all signing keys are made: 32 bytes in base64.
    pub secret_key_file: PathBuf,
    /// Who runs this bouncer.
    #[serde(default)]
    pub operator: OperatorConfig,
    /// The public listener.
    #[serde(default)]
    pub http: HttpConfig,
    /// The operator's listener.
    #[serde(default)]
    pub internal: InternalConfig,
    /// Where everything is remembered.
    #[serde(default)]
    pub database: DatabaseConfig,
    /// What several nodes share besides.
    #[serde(default)]
    pub redis: RedisConfig,
    /// Apple apps by a name of the operator's choice.
    #[serde(default)]
    pub apns: BTreeMap<String, ApnsAppConfig>,
    /// Google apps by a name of the operator's choice.
    #[serde(default)]
    pub fcm: BTreeMap<String, FcmAppConfig>,
    /// How pushes are sent.
    #[serde(default)]
    pub push: PushConfig,
    /// How chat servers are answered.
    #[serde(default)]
    pub compat: CompatConfig,
    /// Who may register.
    #[serde(default)]
    pub registration: RegistrationConfig,
    /// Who may push.
    #[serde(default)]
    pub entitlement: EntitlementConfig,
    /// How much anybody may ask for.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How long rows are kept.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// Calls to others.
    #[serde(default)]
    pub outbound: OutboundConfig,
    /// The way out to the push services.
    #[serde(default)]
    pub proxy: ProxyConfig,
    /// Name servers.
    #[serde(default)]
    pub dns: DnsConfig,
    /// What is logged, and how.
    #[serde(default)]
    pub log: LogConfig,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is not TOML, has an unknown key or a value of the wrong kind.
    #[error("line {line}, column {column}{}: {problem}", .key.as_ref().map(|key| format!(", at `{key}`")).unwrap_or_default())]
    Syntax {
        /// The line, from 1 on.
        line: usize,
        /// The character in the line, from 1 on.
        column: usize,
        /// What stands before the `=` of the line.
        key: Option<String>,
        /// What is wrong there, without what stands there: that may be a password.
        problem: String,
    },
    /// Settings are out of range or contradict each other; all of them at once.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// The environment's proxy cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyConfigError),
}

impl Config {
    /// The settings in a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not valid.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.display().to_string(), source })?;
        Self::parse(&text)
    }

    /// The settings in a text.
    ///
    /// # Errors
    ///
    /// When the text is not valid.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| syntax::problem(text, &error))?;
        let problems = validation::problems(&config);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// These settings, with what the environment says about proxies where the file does not;
    /// `variable` tells a variable's value.
    ///
    /// # Errors
    ///
    /// When the environment names a proxy that cannot be used.
    pub fn with_environment(
        mut self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        self.proxy.complete(variable)?;
        Ok(self)
    }
}
