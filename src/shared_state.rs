//! What several nodes share besides the database: a Redis, which may be away at any time.
//!
//! Nobody waits for a Redis that is away: who asks is told at once, and does without. Every answer has a deadline;
//! the first one that is missed makes Redis away, until a new connection has written and been answered.

mod link;

use std::{fs, io, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, ScriptInvocation, TlsCertificates,
    aio::MultiplexedConnection,
};
use tokio::time::timeout;

use crate::{
    config::{OnRedisFailure, RedisConfig},
    metrics::Metrics,
    random::Random,
};
use link::Link;

pub use link::{BEAT, NODE_LIFE};

/// Opening a connection takes no longer, with all that is said on it first.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A question that was written at once has missed its deadline before this is over too.
const LATER_THAN_AN_ANSWER: Duration = Duration::from_millis(100);

/// Requests on the connection at once; who comes on top waits, within the deadline of his answer.
const MOST_AT_ONCE: usize = 4096;

/// 71 bits: no two nodes are called the same, and what is written of them stays short.
const LETTERS_OF_NODE: usize = 12;

/// What nodes share; clones share the connection too.
#[derive(Clone)]
pub struct SharedState {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    connecting: AsyncConnectionConfig,
    key_prefix: String,
    on_failure: OnRedisFailure,
    timeout: Duration,
    node: String,
    random: Random,
    link: Link,
    metrics: Arc<Metrics>,
}

/// Why it is not known which Redis there is.
#[derive(Debug, thiserror::Error)]
pub enum SharedStateError {
    /// A file of the settings cannot be read.
    #[error("cannot read the file of `redis.{setting}`: {source}")]
    Read {
        /// Which one.
        setting: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The URL cannot be used; the text does not show it, because it may hold a password.
    #[error(
        "`redis.url` is not the URL of a Redis; write it like `redis://127.0.0.1:6379/0`, or `rediss://` for TLS"
    )]
    Url,
    /// The authorities cannot be used.
    #[error("`redis.tls_ca_file` holds no certificate that can be used")]
    Authorities,
}

/// Redis is away; it was told to the operator already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis is away")]
pub struct Away;

impl SharedState {
    /// The Redis of these settings, not connected yet; nothing where there is none.
    ///
    /// # Errors
    ///
    /// When the settings cannot be used.
    pub fn new(
        config: &RedisConfig,
        random: Random,
        metrics: Arc<Metrics>,
    ) -> Result<Option<Self>, SharedStateError> {
        let read = |setting| move |source| SharedStateError::Read { setting, source };
        let Some(url) = config.url().map_err(read("url_file"))? else { return Ok(None) };
        let client = match &config.tls_ca_file {
            None => Client::open(url).map_err(|_| SharedStateError::Url)?,
            Some(path) => {
                let root_cert = Some(fs::read(path).map_err(read("tls_ca_file"))?);
                // So that it is told apart which of both is wrong.
                Client::open(url.as_str()).map_err(|_| SharedStateError::Url)?;
                Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert })
                    .map_err(|_| SharedStateError::Authorities)?
            }
        };
        let connecting = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(config.timeout))
            .set_concurrency_limit(MOST_AT_ONCE);
        let inner = Inner {
            client,
            connecting,
            key_prefix: config.key_prefix.clone(),
            on_failure: config.on_failure,
            timeout: config.timeout,
            node: random.letters(LETTERS_OF_NODE),
            random,
            link: Link::default(),
            metrics,
        };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    /// Whether requests are to be refused while Redis is away.
    #[must_use]
    pub fn is_closed_on_failure(&self) -> bool {
        self.inner.on_failure == OnRedisFailure::Closed
    }

    /// Whether Redis answered last time.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.inner.link.get().is_some()
    }

    /// The longest time an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    /// The key of something, below the prefix that all of them have.
    #[must_use]
    pub fn key(&self, kind: &str, name: impl std::fmt::Display) -> String {
        format!("{}:{kind}:{name}", self.inner.key_prefix)
    }

    /// What this node is called among the others, new with every start.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.inner.node
    }

    /// Runs a script.
    ///
    /// # Errors
    ///
    /// When Redis is away, or does not answer in time; whether it did what was asked is not known then.
    pub async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Away> {
        let mut connection = self.connection()?;
        // The deadline of an answer begins when its question may be written. Who waits for that is no proof that Redis is
        // away, but has hardly more time.
        let patience = self.inner.timeout + LATER_THAN_AN_ANSWER;
        let answer = timeout(patience, script.invoke_async(&mut connection.redis)).await;
        match answer {
            Ok(answer) => answer.map_err(|error| self.lost(&connection, &error)),
            Err(_) => {
                self.inner.metrics.redis_errors.inc();
                Err(Away)
            }
        }
    }

    fn connection(&self) -> Result<link::Connection, Away> {
        self.inner.link.get().ok_or(Away)
    }

    /// Notes that a connection is of no use, whoever finds it out first.
    fn lost(&self, connection: &link::Connection, error: &redis::RedisError) -> Away {
        self.inner.metrics.redis_errors.inc();
        if self.inner.link.drop_if(connection) {
            self.inner.metrics.redis_available.set(0);
            tracing::warn!(event = "redis.lost", %error, "nodes share nothing until Redis is back");
        }
        Away
    }
}

impl Inner {
    async fn connect(&self) -> Result<MultiplexedConnection, redis::RedisError> {
        self.client.get_multiplexed_async_connection_with_config(&self.connecting).await
    }
}
