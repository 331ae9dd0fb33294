//! Another service account for a project that goes on.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::Uri;
use tokio::time::Instant;

use super::{
    Fcm,
    access_token::{self, AccessTokens},
    project::Project,
    service_account::ServiceAccount,
};
use crate::{
    config::FcmAppConfig,
    domain::device::Provider,
    metrics::ProviderConnections,
    outbound::{Origin, Pool, PoolSettings, Trust},
    providers::{
        ProvidersError, Tools,
        clock_skew::ClockSkew,
        credential::{Contents, Seen},
    },
};

/// How long a newer service account is waited for at each look.
const PROMOTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a project's credential comes from, by the configuration.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    project_id: Option<String>,
}

impl Source {
    pub(super) fn of(config: &FcmAppConfig) -> Self {
        Self { file: config.service_account_file.clone(), project_id: config.project_id.clone() }
    }
}

/// What does not change with the service account.
pub(super) struct Place {
    pub(super) name: Arc<str>,
    origin: Origin,
    token_uri: Option<String>,
    trust: Trust,
    settings: PoolSettings,
    pub(super) tools: Tools,
    pub(super) skew: Arc<ClockSkew>,
}

impl Place {
    pub(super) fn new(
        name: &str,
        origin: &Origin,
        config: &FcmAppConfig,
        tools: &Tools,
        skew: &Arc<ClockSkew>,
    ) -> Result<Self, ProvidersError> {
        Ok(Self {
            name: name.into(),
            origin: origin.clone(),
            token_uri: config.token_uri.clone(),
            trust: tools.trust(config.ca_file.as_deref())?,
            settings: PoolSettings::new(config.connections, &tools.outbound, false),
            tools: tools.clone(),
            skew: Arc::clone(skew),
        })
    }

    /// Connections to Google.
    pub(super) fn pool(&self, origin: Origin) -> Result<Pool, ProvidersError> {
        self.pool_counted(origin, self.tools.metrics.connections_of(Provider::Fcm))
    }

    /// Connections for access tokens: what they carry is no push.
    fn pool_for_tokens(&self, origin: Origin) -> Result<Pool, ProvidersError> {
        let connections = self.tools.metrics.connections_of(Provider::Fcm);
        self.pool_counted(origin, connections.without_pushes())
    }

    fn pool_counted(
        &self,
        origin: Origin,
        connections: ProviderConnections,
    ) -> Result<Pool, ProvidersError> {
        Ok(Pool::new(
            origin,
            self.trust.http2_client(None)?,
            self.tools.way.clone(),
            self.settings,
            connections,
        ))
    }
}

/// A service account and its access token.
pub(super) struct Account {
    project_id: String,
    /// Where messages of its project go.
    pub(super) uri: Uri,
    pub(super) tokens: AccessTokens,
    /// That Google gives it no token was told.
    is_refused: AtomicBool,
    file: PathBuf,
}

impl Account {
    /// Checks a key file; asks nobody yet.
    pub(super) fn new(
        source: &Source,
        contents: &Contents,
        place: &Place,
    ) -> Result<Self, ProvidersError> {
        let account = ServiceAccount::parse(contents)?;
        let project_id = source.project_id.as_deref().unwrap_or(account.project_id()).to_owned();
        let uri = format!("{}/v1/projects/{project_id}/messages:send", place.origin);
        let uri = uri.parse().map_err(|_| {
            let problem = format!("`{project_id}` is not the id of a project");
            ProvidersError::credential(&contents.path, &problem)
        })?;
        let token_uri = place.token_uri.as_deref().unwrap_or(account.token_uri()).to_owned();
        let pool = place.pool_for_tokens(access_token::origin(&token_uri)?)?;
        Ok(Self {
            project_id,
            uri,
            tokens: AccessTokens::new(account, token_uri, pool, place),
            is_refused: AtomicBool::new(false),
            file: contents.path.clone(),
        })
    }
}

impl Fcm {
    /// Takes the credentials of this configuration over, for the next look; gives the apps that need a restart.
    pub(in crate::providers) fn want(
        &self,
        config: &BTreeMap<String, FcmAppConfig>,
    ) -> Vec<String> {
        let gone = self.names().filter(|name| !config.contains_key(*name));
        let mut restart: Vec<String> = gone.map(|name| format!("fcm.{name}")).collect();
        for (name, wanted) in config {
            let project = self.projects.iter().find(|project| project.name() == name);
            if !project.is_some_and(|project| project.want(wanted)) {
                restart.push(format!("fcm.{name}"));
            }
        }
        restart
    }

    /// The files of all projects, in their order.
    pub(in crate::providers) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let file = |project: &Project| {
            let watched = project.watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.wanted.file.clone()
        };
        self.projects.iter().map(file)
    }

    /// Looks at what the file of the project in this place holds now.
    pub(in crate::providers) fn look(
        &self,
        project: usize,
        read: Result<Contents, ProvidersError>,
    ) -> Seen {
        let project = &self.projects[project];
        let mut watched = project.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.look(read, |source, contents| project.take(source, contents))
    }

    /// Fetches access tokens for newer service accounts; who has one takes the place of the account before.
    pub(in crate::providers) async fn promote(&self) {
        join_all(self.projects.iter().map(Project::promote)).await;
    }
}

impl Project {
    /// Whether nothing needs a restart.
    fn want(&self, config: &FcmAppConfig) -> bool {
        let mut known = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        if !config.is_same_app(&known) {
            return false;
        }
        *known = config.clone();
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).wanted = Source::of(config);
        true
    }

    /// Checks a service account and makes it the next one.
    fn take(&self, source: &Source, contents: &Contents) -> Result<(), ProvidersError> {
        let next = Account::new(source, contents, &self.place)?;
        let known = &self.accounts.current().project_id;
        // Devices belong to a project. Another one is taken where it is asked for by name.
        if next.project_id != *known && source.project_id.is_none() {
            let problem = format!(
                "is of the project `{}`, and this app's devices are of `{known}`; where that is meant, set \
                 `project_id` and send SIGHUP",
                next.project_id
            );
            return Err(ProvidersError::credential(&contents.path, &problem));
        }
        self.accounts.name_next(next);
        Ok(())
    }

    async fn promote(&self) {
        let Some(next) = self.accounts.next() else { return };
        match next.tokens.current(Instant::now() + PROMOTION_TIMEOUT).await {
            Ok(_) => self.put_in_place(&next),
            Err(error) => {
                if !next.is_refused.swap(true, Ordering::Relaxed) {
                    tracing::error!(event = "credential.refused", app = &*self.name, file = %next.file.display(), %error, "no access token for the new service account; the one before serves on");
                }
            }
        }
    }

    /// The account that is to serve in place of this one, before `deadline`; none when it is the newest that Google
    /// gives tokens: a file that Google refuses does not take the place of one that has a bad minute.
    pub(super) async fn newer_than(
        &self,
        account: &Arc<Account>,
        deadline: Instant,
    ) -> Option<Arc<Account>> {
        if let Some(next) = self.accounts.next()
            && next.tokens.current(deadline).await.is_ok()
        {
            self.put_in_place(&next);
        }
        let now = self.accounts.current();
        (!Arc::ptr_eq(&now, account)).then_some(now)
    }

    fn put_in_place(&self, next: &Arc<Account>) {
        if self.accounts.put_in_place(next) {
            tracing::info!(
                event = "credential.changed",
                app = &*self.name,
                "the new service account serves alone"
            );
        }
    }
}
