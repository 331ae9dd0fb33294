//! Minds one connection of a pool: moves its bytes, notices that the peer leaves or is silent, and ends it.

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use h2::{Ping, PingPong, client::SendRequest};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    connection::{Connection, FAIR_TIME},
    goaway::Goaway,
    pace::jittered,
    pool::Shared,
};

/// Connections that were opened together are not replaced together.
const AGE_PERCENT: std::ops::RangeInclusive<u32> = 90..=110;

/// Between two PINGs that doubts ask for; "many PINGs" are an attack to some peers.
const PING_PAUSE: Duration = Duration::from_secs(1);

/// A connection that nobody needs any more gets so long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// A connection that others can use from now on, with the tasks that mind it.
pub(super) fn mind<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    pool: &Arc<Shared>,
    sender: SendRequest<Bytes>,
    mut driver: h2::client::Connection<S, Bytes>,
) -> Arc<Connection> {
    // One doubt is as good as many.
    let (sending_doubts, doubts) = mpsc::channel(1);
    let connection = Connection::new(sender, pool.settings.is_first_alone, sending_doubts);
    let connection = Arc::new(connection);
    pool.metrics.opened(connection.limit());
    let now = Instant::now();
    let pings = driver.ping_pong().expect("it is taken once only");
    let (pool, known) = (Arc::downgrade(pool), Arc::downgrade(&connection));
    let Some(shared) = pool.upgrade() else { return connection };
    let settings = &shared.settings;
    let keeper = Keeper {
        driver: tokio::spawn(drive(driver, pool.clone(), known.clone())),
        pings,
        doubts,
        ping_interval: settings.ping_interval,
        ping_timeout: settings.ping_timeout,
        idle_quarter: settings.idle_timeout / 4,
        next_ping: now + settings.ping_interval,
        next_quarter: now + settings.idle_timeout / 4,
        next_look: now + FAIR_TIME,
        old_at: Some(now + jittered(settings.max_age, AGE_PERCENT, &shared.random)),
        end_at: None,
        pool,
        known,
    };
    let metrics = shared.metrics.clone();
    tokio::spawn(async move {
        keeper.keep().await;
        metrics.closed();
    });
    connection
}

/// Moves bytes until the connection ends, and tells the pool what the peer says of it.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    mut driver: h2::client::Connection<S, Bytes>,
    pool: Weak<Shared>,
    known: Weak<Connection>,
) {
    let mut is_going = false;
    // How it ends says nothing that its streams or the GOAWAY have not said.
    let _ = poll_fn(|context| {
        let polled = Pin::new(&mut driver).poll(context);
        if let Some(connection) = known.upgrade() {
            let limit = driver.max_concurrent_send_streams();
            if limit != connection.limit()
                && let Some(pool) = pool.upgrade()
            {
                pool.set_limit(&connection, limit);
            }
            // The driver itself goes on until the streams under way have ended.
            if !is_going && let Some(error) = connection.error(context) {
                is_going = true;
                if let (Some(goaway), Some(pool)) = (Goaway::of(&error), pool.upgrade()) {
                    pool.went_away(&connection, &goaway);
                }
            }
        }
        polled
    })
    .await;
}

struct Keeper {
    pool: Weak<Shared>,
    known: Weak<Connection>,
    driver: JoinHandle<()>,
    pings: PingPong,
    doubts: mpsc::Receiver<()>,
    ping_interval: Duration,
    ping_timeout: Duration,
    idle_quarter: Duration,
    next_ping: Instant,
    next_quarter: Instant,
    /// When it is seen whether the peer answers its first request, and allows any.
    next_look: Instant,
    old_at: Option<Instant>,
    /// When nobody holds on to the connection.
    end_at: Option<Instant>,
}

impl Keeper {
    async fn keep(mut self) {
        loop {
            let next_event = self.next_event();
            let is_answered = select! {
                biased;
                _ = &mut self.driver => break,
                doubt = self.doubts.recv(), if self.end_at.is_none() => self.doubted(doubt).await,
                () = sleep_until(next_event) => self.due(Instant::now()).await,
            };
            if !is_answered {
                self.driver.abort();
                break;
            }
        }
        // Streams end with the driver: only then it is certain that none is told nothing.
        if !self.driver.is_finished() {
            let _ = (&mut self.driver).await;
        }
        self.tell(Shared::leave);
    }

    fn next_event(&self) -> Instant {
        let others = [self.old_at, self.end_at];
        let first = self.next_ping.min(self.next_quarter).min(self.next_look);
        others.into_iter().flatten().fold(first, Instant::min)
    }

    async fn due(&mut self, now: Instant) -> bool {
        if self.end_at.is_some_and(|end| end <= now) {
            return false;
        }
        if self.next_look <= now {
            self.next_look = now + FAIR_TIME;
            self.tell(Shared::look_after);
        }
        if self.old_at.is_some_and(|old| old <= now) {
            self.old_at = None;
            self.tell(Shared::aged);
        }
        if self.next_quarter <= now {
            self.next_quarter = now + self.idle_quarter;
            self.tell(|pool, connection| {
                connection.count_quarter();
                pool.close_if_idle(connection);
            });
        }
        self.next_ping > now || self.ping().await
    }

    async fn doubted(&mut self, doubt: Option<()>) -> bool {
        match doubt {
            Some(()) if self.next_ping + PING_PAUSE > Instant::now() + self.ping_interval => true,
            Some(()) => self.ping().await,
            None => {
                self.end_at = Some(Instant::now() + GOODBYE);
                true
            }
        }
    }

    /// Whether the peer is there. When half of its time is over nothing further is sent to it, and the
    /// connection is replaced; then it has the other half.
    async fn ping(&mut self) -> bool {
        let half = self.ping_timeout / 2;
        {
            let mut pong = pin!(self.pings.ping(Ping::opaque()));
            if timeout(half, &mut pong).await.is_err() {
                if let (Some(pool), Some(connection)) = (self.pool.upgrade(), self.known.upgrade())
                {
                    tracing::info!(event = "provider.silent", origin = %pool.origin, "a connection to the push service may be dead");
                    pool.leave(&connection);
                }
                if timeout(half, &mut pong).await.is_err() {
                    return false;
                }
            }
        }
        // The connection may have ended instead, which its driver tells.
        self.next_ping = Instant::now() + self.ping_interval;
        true
    }

    fn tell(&self, what: impl FnOnce(&Arc<Shared>, &Connection)) {
        if let (Some(pool), Some(connection)) = (self.pool.upgrade(), self.known.upgrade()) {
            what(&pool, &connection);
        }
    }
}
