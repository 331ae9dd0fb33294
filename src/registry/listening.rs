//! A connection of its own to PostgreSQL: what other nodes announce arrives on it, and it tells whether the
//! database is there.

use std::{future::Future, time::Duration};

use sea_orm::{
    DbBackend,
    sqlx::{
        self, Connection as _, Executor as _, PgConnection, PgPool,
        postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    },
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    Registry,
    announcements::{CHANNEL, Change},
    is_lost,
};

/// How often the connection is asked whether it is still there: so that two questions fit into the second in which a
/// change must count.
const ASKED_EVERY: Duration = Duration::from_millis(400);

/// An answer that takes longer comes too late for that second.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Before another connection is tried.
const PAUSE: Duration = Duration::from_millis(200);

impl Registry {
    /// Listens to other nodes and watches the database, until `stop`. A SQLite database has one node, and is a file.
    pub async fn keep_listening(&self, stop: &CancellationToken) {
        if self.inner.database.get_database_backend() != DbBackend::Postgres {
            return;
        }
        let pool = self.inner.database.get_postgres_connection_pool();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.listen_again_and_again(pool) => {}
        }
        // Nobody watches any more; what is still to be written at the end is tried.
        self.inner.contact.stop_listening();
        self.inner.contact.set_gone(false);
    }

    async fn listen_again_and_again(&self, pool: &PgPool) {
        let contact = &self.inner.contact;
        loop {
            let options = pool.connect_options();
            match within(self.inner.connects_within, Box::pin(connect(&options))).await {
                Ok(listener) => {
                    if contact.is_gone() {
                        renew(pool);
                    }
                    contact.listen();
                    if contact.set_gone(false) {
                        tracing::info!(event = "database.back", "the database answers again");
                    }
                    let error = self.listen(listener).await;
                    contact.stop_listening();
                    tracing::warn!(event = "database.unheard", %error, "the connection that hears of changes is lost");
                }
                Err(error) => {
                    // Who says why it refuses us is there.
                    let is_there = matches!(error, sqlx::Error::Database(_)) && !is_lost(&error);
                    if !is_there && contact.set_gone(true) {
                        tracing::error!(event = "database.gone", %error, "the database does not answer; what is known is answered from memory");
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Hears what is announced, until the connection is lost; says why.
    async fn listen(&self, mut listener: PgListener) -> sqlx::Error {
        let contact = &self.inner.contact;
        loop {
            let (asked, next) = (contact.now(), Instant::now() + ASKED_EVERY);
            if let Err(error) = within(ANSWERS_WITHIN, listener.execute("SELECT 1")).await {
                return error;
            }
            // What was announced before the question came before its answer.
            while let Some(notification) = listener.next_buffered() {
                self.hear(notification.payload());
            }
            contact.hear(asked);
            contact.answered();
            loop {
                match timeout_at(next, listener.try_recv()).await {
                    Ok(Ok(Some(notification))) => self.hear(notification.payload()),
                    Ok(Ok(None)) => return sqlx::Error::PoolClosed,
                    Ok(Err(error)) => return error,
                    Err(_) => break,
                }
            }
        }
    }

    fn hear(&self, word: &str) {
        match word.parse() {
            Ok(Change::Server(uuid)) => self.inner.servers.invalidate(&uuid),
            Ok(Change::Realm(uuid)) => self.inner.realms.invalidate(&uuid),
            Ok(Change::RegistrationKeys) => self.inner.registration_keys.invalidate(&()),
            // It may be about anything.
            Err(_) => self.inner.contact.listen(),
        }
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    // A pool would try again for a while where it is refused; this one tells at once.
    PgConnection::connect_with(options).await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    // Whoever connects anew has to know, because something may have been announced meanwhile.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Throws away the idle connections: after an outage they may be closed, or lead nowhere.
fn renew(pool: &PgPool) {
    for _ in 0..pool.size() {
        let Some(connection) = pool.try_acquire() else { return };
        drop(connection.detach());
    }
}

async fn within<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(limit, asking).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
