//! The program on one of the databases, with push services around it, and the load on it.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use push_bouncer::{
    clock::Clock,
    sandbox::surroundings::{Surroundings, SurroundingsOptions},
};
use rustls::ClientConfig;
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use super::{
    database::Database,
    people::{server_key, server_uuid},
    shared::{Bouncer, Call, connect, cpu_seconds, free_port, post, tls},
};

/// Connections of the load.
const CONNECTIONS: usize = 32;

/// How long the program may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that serves.
pub(crate) struct Site {
    pub(crate) bouncer: Bouncer,
    surroundings: Surroundings,
    port: u16,
    tls: Arc<ClientConfig>,
}

impl Site {
    pub(crate) async fn start(database: &Database) -> anyhow::Result<Self> {
        let port = free_port()?;
        let options = SurroundingsOptions {
            listen: ([127, 0, 0, 1], port).into(),
            database_url: Some(database.url.clone()),
            // A small database has few servers, which are not to be held back.
            settings: "limits.server.rate = \"100000000/min\"\nhttp.header_timeout = \"60s\"\n\
                       log.level = \"error\""
                .to_owned(),
            log_capacity: 0,
            ..SurroundingsOptions::default()
        };
        let surroundings = Surroundings::start(options, Clock::default()).await?;
        let bouncer = Bouncer::start(&surroundings)?;
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure!(began.elapsed() < PATIENCE, "the bouncer does not serve");
            sleep(Duration::from_millis(50)).await;
        }
        let tls = tls(&surroundings)?;
        Ok(Self { bouncer, surroundings, port, tls })
    }

    /// Sends requests over all connections at once; how many seconds that took. Each number is one request.
    pub(crate) async fn load<F>(
        &self,
        numbers: std::ops::Range<u64>,
        call: F,
    ) -> anyhow::Result<f64>
    where
        F: Fn(u64) -> Call + Clone + Send + 'static,
    {
        let next = Arc::new(AtomicU64::new(numbers.start));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (port, tls, next, call) =
                (self.port, Arc::clone(&self.tls), Arc::clone(&next), call.clone());
            tasks.spawn(async move {
                let mut connection = connect(port, tls).await?;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return anyhow::Ok(());
                    }
                    post(&mut connection, call(number)).await?;
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// Its CPU seconds until now.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        cpu_seconds(self.bouncer.process.id())
    }

    /// How many pushes the push services have taken.
    pub(crate) fn accepted(&self) -> u64 {
        self.surroundings.apns.counters().accepted + self.surroundings.fcm.counters().accepted
    }

    /// Ends it as an operator does: what it collected is written.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let process = &mut self.bouncer.process;
        let sent = Command::new("kill").args(["-s", "TERM", &process.id().to_string()]).status()?;
        ensure!(sent.success(), "`kill` failed");
        let began = Instant::now();
        while process.try_wait()?.is_none() {
            ensure!(began.elapsed() < PATIENCE, "the bouncer does not end");
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// The value of `Authorization` of a server.
pub(crate) fn authorization(server: u64) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", server_uuid(server), server_key(server))))
}
