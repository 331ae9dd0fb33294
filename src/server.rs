//! A running bouncer as a value: bound, serving, and stopped again.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, BuildError},
    clock::Clock,
    config::Config,
    endpoints::operator,
    listener::{ListenError, Listener},
    providers::Reloaded,
    router,
};

/// The operator's tools may ask for so long after the end was asked for.
const OPERATOR_GRACE: Duration = Duration::from_secs(1);

/// Sends that go on behind answers have at least so long to end.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// A bouncer that serves.
pub struct Server {
    app: Arc<App>,
    public: Vec<SocketAddr>,
    operator: Vec<SocketAddr>,
    stop_public: CancellationToken,
    stop_operator: CancellationToken,
    public_task: JoinHandle<()>,
    operator_task: JoinHandle<()>,
    tidying: JoinHandle<()>,
    delivering: JoinHandle<()>,
    sharing: Option<JoinHandle<()>>,
}

/// Why a bouncer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// One of its parts cannot be used.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

impl Server {
    /// Opens the database, reads all credentials, binds all addresses, and begins to serve.
    ///
    /// # Errors
    ///
    /// When one of these fails; nothing is left running then.
    pub async fn bind(config: Config, clock: Clock) -> Result<Self, StartError> {
        let app = Arc::new(Box::pin(App::build(config, clock)).await?);
        note_reload(&app, true);
        let http = &app.config.http;
        let public = Listener::public(http, Arc::clone(&app.metrics))?;
        let operator =
            Listener::operator(&app.config.internal.listen, http, Arc::clone(&app.metrics))?;
        let (public_addresses, operator_addresses) = (public.addresses(), operator.addresses());
        let (stop_public, stop_operator) = (CancellationToken::new(), CancellationToken::new());
        let (router, grace) = (router::public(Arc::clone(&app)), http.shutdown_grace);
        let public_task = tokio::spawn(public.serve(router, stop_public.clone(), grace));
        let routes = operator::routes(Arc::clone(&app));
        let operator_task =
            tokio::spawn(operator.serve(routes, stop_operator.clone(), OPERATOR_GRACE));
        let delivery = app.delivery.clone();
        let delivering = tokio::spawn(async move {
            tokio::join!(delivery.keep_trying(), delivery.keep_telling());
        });
        let sharing = app
            .shared_state
            .clone()
            .map(|shared_state| tokio::spawn(async move { shared_state.keep_connected().await }));
        let tidied = Arc::clone(&app);
        let tidying = tokio::spawn(async move { tidied.keep_tidy().await });
        Ok(Self {
            app,
            public: public_addresses,
            operator: operator_addresses,
            stop_public,
            stop_operator,
            public_task,
            operator_task,
            tidying,
            delivering,
            sharing,
        })
    }

    /// The first address chat servers can use.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public[0]
    }

    /// The first address the operator's tools can use, if there is one.
    #[must_use]
    pub fn operator_address(&self) -> Option<SocketAddr> {
        self.operator.first().copied()
    }

    /// The parts of it.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Reads the files of credentials again, and takes over what belongs to credentials in `config`, unless it could
    /// not be read; what else differs in it counts from the next start on.
    ///
    /// What came of it is logged in one line, and what failed its check in a line of its own.
    pub async fn reload(&self, config: Option<&Config>) -> Reloaded {
        let mut reloaded = self.app.providers.reload(config).await;
        if let Some(config) = config {
            let sections = config.sections_that_differ(&self.app.config);
            reloaded.restart.extend(sections.into_iter().map(str::to_owned));
        }
        note_reload(&self.app, config.is_some() && reloaded.failed.is_empty());
        let Reloaded { renewed, failed, restart } = &reloaded;
        tracing::info!(
            event = "config.reloaded",
            ?renewed,
            ?failed,
            ?restart,
            "credentials were read again; what is named in `restart` counts from the next start on"
        );
        reloaded
    }

    /// Accepts nothing more, answers what is under way, ends the sends that go on behind answers, all of it
    /// within the grace period, and writes what is still in memory.
    pub async fn shutdown(self) {
        let until = Instant::now() + self.app.config.http.shutdown_grace;
        self.app.stopping.cancel();
        self.stop_public.cancel();
        // Tasks fail only by panicking, which was logged where it happened.
        let _ = self.public_task.await;
        self.app.requests.close();
        if timeout_at(until, self.app.requests.wait()).await.is_err() {
            let requests = self.app.requests.len();
            tracing::warn!(
                event = "request.given_up",
                requests,
                "work was cut at the end of the grace period"
            );
        }
        // What has less than that left was just begun; it gets a moment, so that nothing is cut in two.
        self.app.delivery.finish(until.max(Instant::now() + LAST_MOMENT)).await;
        self.delivering.abort();
        let _ = self.tidying.await;
        if let Some(sharing) = self.sharing {
            // Until now the other nodes had to know that this one lives.
            sharing.abort();
            // Its last word must not come after the one that this node leaves.
            let _ = sharing.await;
        }
        if let Some(shared_state) = &self.app.shared_state {
            shared_state.leave().await;
        }
        self.stop_operator.cancel();
        let _ = self.operator_task.await;
        if let Err(error) = self.app.registry.close().await {
            tracing::error!(event = "database.flush_failed", %error, "the last counts are lost");
        }
    }
}

/// Shows operators whether all was good when the configuration was last read.
fn note_reload(app: &App, is_successful: bool) {
    app.metrics.config_last_reload_successful.set(is_successful.into());
    if is_successful {
        #[expect(clippy::cast_precision_loss, reason = "2^53 seconds are 285 million years")]
        app.metrics.config_last_reload_success.set(app.clock.now().unix_seconds() as f64);
    }
}
