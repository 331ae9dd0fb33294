//! The access token that every message to Google carries.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{reload::Place, renewal::Failures, service_account::ServiceAccount};
use crate::{
    clock::{Clock, Timestamp},
    metrics::{CredentialKind, Metrics, RefreshLabels, RefreshResult},
    outbound::{Body, Origin, OriginError, Pool, Reply, SendError},
    providers::{clock_skew::ClockSkew, credential::expiry_is_known},
    random::Random,
};

/// Renewed when this part of its life is over; the old one serves until the new one is there.
const RENEW_AT_PERCENT: u32 = 80;

/// A token is not used in its last seconds: it must still live when the message arrives.
const MARGIN: Duration = Duration::from_secs(30);

/// How long one renewal may take.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections are ours alone.
const OURSELVES: i64 = 0;

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

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u32,
}

#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
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

    /// A new token; or why there is none, with the answer if there was one.
    async fn fetch(&self) -> Result<Token, (AccessTokenError, Option<Reply>)> {
        let shared = &self.shared;
        let asked_at = shared.clock.running();
        let request = self.request().map_err(|error| (error, None))?;
        let (request, body) = (request.0, Body { own: Bytes::new(), shared: request.1 });
        let deadline = Instant::now() + RENEWAL_TIMEOUT;
        let reply = shared.pool.send(OURSELVES, &request, &body, deadline).await;
        let reply = reply.map_err(|error| (error.into(), None))?;
        shared.skew.observe(&reply.headers);
        if !reply.status.is_success() {
            let refusal: Option<Refusal> = serde_json::from_slice(&reply.body).ok();
            let error = AccessTokenError::Refused {
                status: reply.status.as_u16(),
                // Google's words are short; anything else is not repeated.
                word: refusal.and_then(|refusal| refusal.error).filter(|word| is_word(word)),
            };
            return Err((error, Some(reply)));
        }
        let unusable = || (AccessTokenError::Unusable, None);
        let answer: Answer = serde_json::from_slice(&reply.body).map_err(|_| unusable())?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", answer.access_token))
            .map_err(|_| unusable())?;
        header.set_sensitive(true);
        let life = Duration::from_secs(answer.expires_in.into());
        if life <= MARGIN {
            return Err(unusable());
        }
        Ok(Token {
            header,
            renew_at: asked_at + life * RENEW_AT_PERCENT / 100,
            ends_at: asked_at + life.saturating_sub(MARGIN),
            ends: shared.clock.now() + life,
            is_refused: AtomicBool::new(false),
        })
    }

    fn request(&self) -> Result<(Request<()>, Bytes), AccessTokenError> {
        let shared = &self.shared;
        let assertion =
            shared.account.assertion(&shared.token_uri, shared.skew.now(), &shared.random);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        let uri: Uri = shared.token_uri.parse().map_err(|_| AccessTokenError::Unusable)?;
        let mut request =
            Request::post(uri).body(()).expect("the address was parsed the line before");
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form_type);
        Ok((request, form.into()))
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
