//! The access token that every message to Google carries.

mod asking;

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use tokio::{sync::Mutex, time::Instant};

use super::{reload::Place, renewal::Failures, service_account::ServiceAccount};
use crate::{
    clock::{Clock, Timestamp},
    metrics::{CredentialKind, Metrics, RefreshLabels, RefreshResult},
    outbound::{Origin, OriginError, Pool, SendError},
    providers::{clock_skew::ClockSkew, credential::expiry_is_known},
    random::Random,
};

/// A token that Google refuses though it should live is replaced no more often than this.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// Why there is no access token; its text never holds one.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum AccessTokenError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("the token endpoint answered {status}{}", .word.as_deref().map(|word| format!(" `{word}`")).unwrap_or_default())]
    Refused { status: u16, word: Option<String> },
    #[error("the token endpoint's answer has no usable access token")]
    Unusable,
}

/// Gets and keeps the access token of one service account; clones share it.
#[derive(Clone)]
pub(super) struct AccessTokens {
    shared: Arc<Shared>,
}

struct Shared {
    name: Arc<str>,
    account: ServiceAccount,
    token_uri: String,
    pool: Pool,
    clock: Clock,
    skew: Arc<ClockSkew>,
    random: Random,
    metrics: Arc<Metrics>,
    current: ArcSwapOption<Token>,
    /// When a token was last refused that should have lived.
    last_refusal: std::sync::Mutex<Option<Duration>>,
    /// Held while a token is fetched, so that only one is.
    fetching: Mutex<Failures<AccessTokenError>>,
}

/// Its times are those of [`Clock::running`]: they stay right when the system's clock is set.
struct Token {
    header: HeaderValue,
    renew_at: Duration,
    ends_at: Duration,
    ends: Timestamp,
    /// Google has refused it; it serves on only as long as there is no other one.
    is_refused: AtomicBool,
}

impl Token {
    fn is_fresh(&self, running: Duration) -> bool {
        running < self.renew_at && !self.is_refused.load(Ordering::Acquire)
    }
}

/// Where access tokens are asked for.
pub(super) fn origin(token_uri: &str) -> Result<Origin, OriginError> {
    let path = token_uri.strip_prefix("https://").and_then(|rest| rest.find('/'));
    Origin::parse(path.map_or(token_uri, |path| &token_uri[.."https://".len() + path]))
}

impl AccessTokens {
    pub(super) fn new(
        account: ServiceAccount,
        token_uri: String,
        pool: Pool,
        place: &Place,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: Arc::clone(&place.name),
                account,
                token_uri,
                pool,
                clock: place.tools.clock.clone(),
                skew: Arc::clone(&place.skew),
                random: place.tools.random.clone(),
                metrics: Arc::clone(&place.tools.metrics),
                current: ArcSwapOption::empty(),
                last_refusal: std::sync::Mutex::default(),
                fetching: Mutex::default(),
            }),
        }
    }

    /// When the present token ends, if there is one.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        self.shared.current.load().as_ref().map(|token| token.ends)
    }

    /// The value of `authorization` now; waits only while there is no token that lives.
    pub(super) async fn current(&self, deadline: Instant) -> Result<HeaderValue, AccessTokenError> {
        let running = self.shared.clock.running();
        if let Some(token) = &*self.shared.current.load() {
            if token.is_fresh(running) {
                return Ok(token.header.clone());
            }
            if running < token.ends_at {
                self.renew_in_background(running);
                return Ok(token.header.clone());
            }
        }
        self.fetch_by(deadline).await
    }

    /// A newer value than `refused`. One that was fetched just for this is not given up again so soon.
    pub(super) async fn renew(
        &self,
        refused: &HeaderValue,
        deadline: Instant,
    ) -> Result<HeaderValue, AccessTokenError> {
        if let Some(token) = &*self.shared.current.load() {
            if token.header != *refused {
                return Ok(token.header.clone());
            }
            let now = self.shared.clock.running();
            let mut last = self.shared.last_refusal.lock().unwrap_or_else(PoisonError::into_inner);
            if !token.is_refused.load(Ordering::Acquire) {
                if last.is_some_and(|last| now.saturating_sub(last) < PAUSE_AFTER_REFUSAL) {
                    return Err(AccessTokenError::Unusable);
                }
                *last = Some(now);
                token.is_refused.store(true, Ordering::Release);
            }
        }
        self.fetch_by(deadline).await
    }

    /// Has a token renewed that is due, also one that has ended; none where none was needed yet.
    pub(super) fn renew_if_due(&self) {
        let running = self.shared.clock.running();
        if self.shared.current.load().as_ref().is_some_and(|token| !token.is_fresh(running)) {
            self.renew_in_background(running);
        }
    }

    fn renew_in_background(&self, running: Duration) {
        // Whoever holds the lock is at it already; and after a failure there is a pause.
        let is_due = match self.shared.fetching.try_lock() {
            Ok(failures) => failures.pausing(running).is_none(),
            Err(_) => false,
        };
        if is_due {
            let tokens = self.clone();
            // A failure is logged where it happens; the old token serves until it ends.
            tokio::spawn(async move { tokens.fetch_if_due().await.is_ok() });
        }
    }

    /// Fetches a token unless somebody else has done so meanwhile; the fetch goes on when the caller's
    /// deadline passes, for those who come after it.
    async fn fetch_by(&self, deadline: Instant) -> Result<HeaderValue, AccessTokenError> {
        let tokens = self.clone();
        let fetching = tokio::spawn(async move { tokens.fetch_if_due().await });
        match tokio::time::timeout_at(deadline, fetching).await {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(_)) => Err(AccessTokenError::Unusable),
            Err(_) => Err(AccessTokenError::Send(SendError::Deadline)),
        }
    }

    async fn fetch_if_due(&self) -> Result<HeaderValue, AccessTokenError> {
        let shared = &self.shared;
        let mut failures = shared.fetching.lock().await;
        let running = shared.clock.running();
        if let Some(token) = &*shared.current.load()
            && token.is_fresh(running)
        {
            return Ok(token.header.clone());
        }
        if let Some(error) = failures.pausing(running) {
            return Err(error.clone());
        }
        let fetched = match self.fetch().await {
            // Our clock is wrong, as the answer itself says: another assertion is dated better.
            Err((_, Some(reply))) if shared.skew.explains_refusal(&reply.headers) => {
                self.fetch().await
            }
            fetched => fetched,
        };
        let result = if fetched.is_ok() { RefreshResult::Ok } else { RefreshResult::Failed };
        let labels = RefreshLabels { kind: CredentialKind::FcmToken, result };
        shared.metrics.credential_refreshes.get_or_create(&labels).inc();
        match fetched {
            Ok(token) => {
                failures.clear();
                let header = token.header.clone();
                expiry_is_known(
                    &shared.metrics,
                    CredentialKind::FcmToken,
                    &shared.name,
                    token.ends,
                );
                shared.current.store(Some(Arc::new(token)));
                Ok(header)
            }
            Err((error, _)) => {
                tracing::warn!(event = "credential.refresh_failed", app = &*shared.name, %error, "no new access token for FCM");
                failures.note(error.clone(), shared.clock.running(), &shared.random);
                Err(error)
            }
        }
    }
}
