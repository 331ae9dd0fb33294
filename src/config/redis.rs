//! `[redis]`: what several nodes share besides the database.

use std::{fmt, io, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::duration;

/// Redis, or Valkey. Without it each node counts for itself.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisConfig {
    /// `redis://host:port/number`, `rediss://…` for TLS or `redis+unix:///path`, with `user:password@` where it is
    /// asked for. Default: none.
    pub url: Option<String>,
    /// A file that holds the URL, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// A PEM file with the authorities of `rediss://`. Default: the public ones.
    pub tls_ca_file: Option<PathBuf>,
    /// What all keys begin with. Bouncers that share a Redis and not their database need different ones.
    /// Default `push-bouncer`.
    pub key_prefix: String,
    /// How long an answer may take; after that Redis is away until it answers again. Default 500 ms.
    #[serde(deserialize_with = "duration::read")]
    pub timeout: Duration,
    /// What becomes of requests while Redis is away. Default `local`.
    pub on_failure: OnRedisFailure,
}

/// What becomes of requests while Redis is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRedisFailure {
    /// Each node counts for itself.
    #[default]
    Local,
    /// They are answered 503.
    Closed,
}

impl RedisConfig {
    /// The URL, if there is to be a Redis.
    ///
    /// # Errors
    ///
    /// When the file with it cannot be read.
    pub fn url(&self) -> Result<Option<String>, io::Error> {
        match (&self.url, &self.url_file) {
            (Some(url), _) => Ok(Some(url.clone())),
            (None, Some(path)) => {
                std::fs::read_to_string(path).map(|url| Some(url.trim().to_owned()))
            }
            (None, None) => Ok(None),
        }
    }

    /// What is wrong with the section, as sentences.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |is_right: bool, sentence: &str| {
            if !is_right {
                problems.push(sentence.to_owned());
            }
        };
        check(
            self.url.is_none() || self.url_file.is_none(),
            "`redis.url` and `redis.url_file` are both set",
        );
        check(
            (Duration::from_millis(10)..=Duration::from_secs(5)).contains(&self.timeout),
            "`redis.timeout` must be from 10ms to 5s",
        );
        check(
            !self.key_prefix.is_empty()
                && self.key_prefix.len() <= 64
                && self.key_prefix.bytes().all(|byte| byte.is_ascii_graphic()),
            "`redis.key_prefix` must be 1 to 64 visible ASCII characters",
        );
        check(
            self.on_failure == OnRedisFailure::Local
                || self.url.is_some()
                || self.url_file.is_some(),
            "`redis.on_failure = \"closed\"` needs `redis.url`",
        );
        problems
    }
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            tls_ca_file: None,
            key_prefix: "push-bouncer".to_owned(),
            timeout: Duration::from_millis(500),
            on_failure: OnRedisFailure::default(),
        }
    }
}

// The URL may hold a password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisConfig")
            .field("tls_ca_file", &self.tls_ca_file)
            .field("key_prefix", &self.key_prefix)
            .field("timeout", &self.timeout)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}
