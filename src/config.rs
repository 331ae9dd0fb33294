//! The settings: one TOML file, one struct and one file per section.
//!
//! Parsing is strict: an unknown key, a wrong type or settings that contradict each other are errors
//! that name the place, and a program with such a file does not start.

mod apns;
mod database;
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
mod push;
mod registration;
mod validation;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use apns::{ApnsAppConfig, ApnsEnvironment};
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
pub use push::PushConfig;
pub use registration::{EmailCheck, RegistrationConfig, RegistrationMode};

/// All settings of one bouncer.
#[derive(Clone, Debug, Deserialize)]
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
    /// Apple apps by a name of the operator's choice.
    #[serde(default)]
    pub apns: BTreeMap<String, ApnsAppConfig>,
    /// Google apps by a name of the operator's choice.
    #[serde(default)]
    pub fcm: BTreeMap<String, FcmAppConfig>,
    /// How pushes are sent.
    #[serde(default)]
    pub push: PushConfig,
    /// Who may register.
    #[serde(default)]
    pub registration: RegistrationConfig,
    /// Who may push.
    #[serde(default)]
    pub entitlement: EntitlementConfig,
    /// How much anybody may ask for.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Calls to others.
    #[serde(default)]
    pub outbound: OutboundConfig,
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
    /// It is not TOML, has an unknown key or a value of the wrong kind; the text names the place.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// Settings are out of range or contradict each other; all of them at once.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
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
        let config: Self = toml::from_str(text)?;
        let problems = validation::problems(&config);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
    }
}
