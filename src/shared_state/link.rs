//! The connection to Redis: kept, proven, and opened anew.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{RedisError, aio::MultiplexedConnection, cmd};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{CONNECT_WITHIN, SharedState};

/// How often the connection has to prove itself, and this node that it lives.
pub const BEAT: Duration = Duration::from_secs(1);

/// A node that was not heard of for so long is taken to be dead.
pub const NODE_LIFE: Duration = Duration::from_secs(10);

/// Between two attempts to connect, at most; half of it at least.
const PAUSE: Duration = Duration::from_millis(1000);

/// The connection there is, if there is one.
#[derive(Default)]
pub(super) struct Link {
    connection: Mutex<Option<Connection>>,
    next_number: AtomicU64,
    lost: Notify,
}

/// A connection, and the how manieth it is.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) redis: MultiplexedConnection,
    number: u64,
}

impl Link {
    pub(super) fn get(&self) -> Option<Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, redis: MultiplexedConnection) -> Connection {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let connection = Connection { redis, number };
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
        connection
    }

    /// Lets a connection go, unless it has gone already; whether it did.
    pub(super) fn drop_if(&self, lost: &Connection) -> bool {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = connection.as_ref().is_some_and(|it| it.number == lost.number);
        if is_current {
            *connection = None;
            self.lost.notify_one();
        }
        is_current
    }
}

impl SharedState {
    /// Connects once, so that a node that starts beside its Redis begins with it.
    pub async fn connect(&self) {
        if let Err(error) = self.open().await {
            tracing::warn!(event = "redis.lost", %error, "nodes share nothing until Redis is back");
        }
    }

    /// Tells the other nodes that this one ends.
    pub async fn leave(&self) {
        let Some(mut connection) = self.inner.link.get() else { return };
        let mut leave = cmd("DEL");
        leave.arg(self.node_key(self.node()));
        if let Err(error) = leave.exec_async(&mut connection.redis).await {
            // They find out when it is not heard of any more.
            tracing::debug!(event = "redis.not_left", %error, "the other nodes do not know yet");
        }
    }

    /// The key that is there as long as a node lives.
    #[must_use]
    pub fn node_key(&self, node: &str) -> String {
        self.key("node", node)
    }

    /// Keeps a connection, for ever.
    pub async fn keep_connected(&self) {
        let inner = &*self.inner;
        loop {
            if let Some(connection) = inner.link.get() {
                tokio::select! {
                    () = inner.link.lost.notified() => {}
                    () = sleep(BEAT) => {
                        if let Err(error) = self.beat(&connection.redis).await {
                            self.lost(&connection, &error);
                        }
                    }
                }
                continue;
            }
            match self.open().await {
                Ok(()) => tracing::info!(event = "redis.back", "nodes share what they know"),
                Err(error) => {
                    tracing::debug!(event = "redis.away", %error, "Redis cannot be reached");
                    let part = 0.5 + inner.random.fraction() / 2.0;
                    sleep(PAUSE.mul_f64(part)).await;
                }
            }
        }
    }

    /// A connection that has proven itself.
    async fn open(&self) -> Result<(), RedisError> {
        let opened = async {
            let connection = self.inner.connect().await?;
            self.beat(&connection).await?;
            Ok::<_, RedisError>(connection)
        };
        let late = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let connection = timeout(2 * CONNECT_WITHIN, opened).await.map_err(late)??;
        self.inner.link.set(connection);
        self.inner.metrics.redis_available.set(1);
        Ok(())
    }

    /// Writes that this node lives: what only reads would not find out that Redis takes nothing.
    async fn beat(&self, connection: &MultiplexedConnection) -> Result<(), RedisError> {
        let mut connection = connection.clone();
        let millis = u64::try_from(NODE_LIFE.as_millis()).unwrap_or(u64::MAX);
        cmd("SET")
            .arg(self.node_key(self.node()))
            .arg(1)
            .arg("PX")
            .arg(millis)
            .exec_async(&mut connection)
            .await
    }
}
