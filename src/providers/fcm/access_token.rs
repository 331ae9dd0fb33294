//! The access token that every message to Google carries.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::service_account::ServiceAccount;
use crate::{
    clock::{Clock, Timestamp},
    outbound::{Body, Origin, OriginError, Pool, SendError},
    random::Random,
};

/// Renewed when this part of its life is over; the old one serves until the new one is there.
const RENEW_AT_PERCENT: u32 = 80;

/// A token is not used in its last seconds: it must still live when the message arrives.
const MARGIN: Duration = Duration::from_secs(30);

/// How long one renewal may take.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(10);

/// After a renewal failed, the next is tried this much later, so that an outage is not hammered at.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

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
    account: ServiceAccount,
    token_uri: String,
    pool: Pool,
    clock: Clock,
    random: Random,
    current: ArcSwapOption<Token>,
    /// When a token was last forgotten because it was refused.
    last_refusal: std::sync::Mutex<Option<Timestamp>>,
    /// Held while a token is fetched, so that only one is; remembers the last failure.
    fetching: Mutex<Option<(Timestamp, AccessTokenError)>>,
}

struct Token {
    header: HeaderValue,
    renew_at: Timestamp,
    ends_at: Timestamp,
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
        clock: &Clock,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                account,
                token_uri,
                pool,
                clock: clock.clone(),
                random: Random::default(),
                current: ArcSwapOption::empty(),
                last_refusal: std::sync::Mutex::default(),
                fetching: Mutex::default(),
            }),
        }
    }

    /// The value of `authorization` now; waits only while there is no token that lives.
    pub(super) async fn current(&self, deadline: Instant) -> Result<HeaderValue, AccessTokenError> {
        let now = self.shared.clock.now();
        if let Some(token) = &*self.shared.current.load() {
            if now < token.renew_at {
                return Ok(token.header.clone());
            }
            if now < token.ends_at {
                self.renew_in_background(now);
                return Ok(token.header.clone());
            }
        }
        self.replace(None, deadline).await
    }

    /// A newer value than `refused`.
    pub(super) async fn renew(
        &self,
        refused: &HeaderValue,
        deadline: Instant,
    ) -> Result<HeaderValue, AccessTokenError> {
        self.replace(Some(refused), deadline).await
    }

    fn renew_in_background(&self, now: Timestamp) {
        // Whoever holds the lock is at it already; and after a failure there is a pause.
        let is_due = match self.shared.fetching.try_lock() {
            Ok(last_failure) => !is_pausing(last_failure.as_ref(), now),
            Err(_) => false,
        };
        if is_due {
            let tokens = self.clone();
            // A failure is logged where it happens; the old token serves until it ends.
            tokio::spawn(async move { tokens.fetch_if_due().await.is_ok() });
        }
    }

    /// Forgets the token that was refused, so that the next one is fetched; gives the current one when it
    /// is another already. One that was fetched just for this is not forgotten again so soon.
    fn forget(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>, AccessTokenError> {
        let mut last = self.shared.last_refusal.lock().unwrap_or_else(PoisonError::into_inner);
        match &*self.shared.current.load() {
            Some(token) if token.header == *refused => {}
            Some(token) => return Ok(Some(token.header.clone())),
            None => return Ok(None),
        }
        let now = self.shared.clock.now();
        if last.is_some_and(|last| now.since(last) < PAUSE_AFTER_REFUSAL) {
            return Err(AccessTokenError::Unusable);
        }
        *last = Some(now);
        self.shared.current.store(None);
        Ok(None)
    }

    /// Fetches a token unless somebody else has done so meanwhile; the fetch goes on when the caller's
    /// deadline passes, for those who come after it.
    async fn replace(
        &self,
        refused: Option<&HeaderValue>,
        deadline: Instant,
    ) -> Result<HeaderValue, AccessTokenError> {
        if let Some(refused) = refused
            && let Some(other) = self.forget(refused)?
        {
            return Ok(other);
        }
        let tokens = self.clone();
        let fetching = tokio::spawn(async move { tokens.fetch_if_due().await });
        match tokio::time::timeout_at(deadline, fetching).await {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(_)) => Err(AccessTokenError::Unusable),
            Err(_) => Err(AccessTokenError::Send(SendError::Deadline)),
        }
    }

    async fn fetch_if_due(&self) -> Result<HeaderValue, AccessTokenError> {
        let mut last_failure = self.shared.fetching.lock().await;
        let now = self.shared.clock.now();
        if let Some(token) = &*self.shared.current.load()
            && now < token.renew_at
        {
            return Ok(token.header.clone());
        }
        if let Some((_, error)) = &*last_failure
            && is_pausing(last_failure.as_ref(), now)
        {
            return Err(error.clone());
        }
        match self.fetch(now).await {
            Ok(token) => {
                *last_failure = None;
                let header = token.header.clone();
                self.shared.current.store(Some(Arc::new(token)));
                Ok(header)
            }
            Err(error) => {
                tracing::warn!(event = "credential.refresh_failed", %error, "no new access token for FCM");
                *last_failure = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<Token, AccessTokenError> {
        let shared = &self.shared;
        let assertion = shared.account.assertion(&shared.token_uri, now, &shared.random);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        let uri: Uri = shared.token_uri.parse().map_err(|_| AccessTokenError::Unusable)?;
        let mut request =
            Request::post(uri).body(()).expect("the address was parsed the line before");
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form_type);
        let body = Body { own: Bytes::new(), shared: form.into() };
        let reply = shared.pool.send(&request, &body, Instant::now() + RENEWAL_TIMEOUT).await?;
        if !reply.status.is_success() {
            let refusal: Option<Refusal> = serde_json::from_slice(&reply.body).ok();
            return Err(AccessTokenError::Refused {
                status: reply.status.as_u16(),
                // Google's words are short; anything else is not repeated.
                word: refusal.and_then(|refusal| refusal.error).filter(|word| is_word(word)),
            });
        }
        let answer: Answer =
            serde_json::from_slice(&reply.body).map_err(|_| AccessTokenError::Unusable)?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", answer.access_token))
            .map_err(|_| AccessTokenError::Unusable)?;
        header.set_sensitive(true);
        let life = Duration::from_secs(answer.expires_in.into());
        Ok(Token {
            header,
            renew_at: now + life * RENEW_AT_PERCENT / 100,
            ends_at: now + life.saturating_sub(MARGIN),
        })
    }
}

fn is_pausing(last_failure: Option<&(Timestamp, AccessTokenError)>, now: Timestamp) -> bool {
    last_failure.is_some_and(|(at, _)| now.since(*at) < PAUSE_AFTER_FAILURE)
}

fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
