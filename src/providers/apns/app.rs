//! One app: its credentials, its connections, and one push over them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{Request, StatusCode, header};
use tokio::time::Instant;

use super::{
    ApnsMessage, ApnsReason,
    answer::{Answer, ErrorBody, is_ending, is_refused_as},
    authentication_token::{AuthenticationTokens, Token},
    generation::{Choice, Generation, Generations, Place, Role},
    headers::set_headers,
    token_key::Source,
};
use crate::{
    clock::Timestamp,
    config::ApnsAppConfig,
    domain::device::{AppId, Provider},
    outbound::{Body, Patience, Reply},
    providers::{
        AppName, Attempt, Credential, Delay, Failure, Outcome, ProvidersError, Tools, Why,
        clock_skew::ClockSkew,
        credential::{Contents, Watched, expiry_is_known},
        retry_after,
    },
};

/// A push that tries a new credential waits for half of its time for a connection, and for a quarter of it for the
/// answer: the rest is for the old one.
const WAIT_OF_TRIAL: u32 = 2;
const ANSWER_OF_TRIAL: u32 = 4;

/// While Apple calls a token expired that should live, a connection is left this often: Apple takes rapid connection and
/// disconnection for an attack.
const LEAVE_INTERVAL: Duration = Duration::from_secs(10);

/// A push goes by so many credentials at most: the new one, the old one, and each with an older token or one
/// that is dated better.
const MOST_CHOICES: usize = 4;

/// One app on Apple's phones, or several that share credentials.
pub(super) struct App {
    pub(super) name: Arc<str>,
    pub(super) config: Mutex<ApnsAppConfig>,
    pub(super) watched: Mutex<Watched<Source>>,
    pub(super) generations: ArcSwap<Generations>,
    pub(super) place: Place,
    attempt_timeout: Duration,
    /// When the token was issued whose end was noted, in Unix seconds.
    noted: AtomicI64,
    /// In milliseconds since the Unix epoch; 0 for never.
    last_success: AtomicI64,
}

impl App {
    pub(super) fn new(
        name: &str,
        config: &ApnsAppConfig,
        tools: &Tools,
        skew: &Arc<ClockSkew>,
        known: &[Arc<AuthenticationTokens>],
    ) -> Result<Self, ProvidersError> {
        let source = Source::of(config)
            .ok_or_else(|| ProvidersError::NoCredential { app: format!("apns.{name}") })?;
        let contents = Contents::read(source.file())?;
        let place = Place::new(config, tools, skew)?;
        let generation = Arc::new(Generation::new(&source, &contents, &place, known)?);
        tools.metrics.app_is_configured(Provider::Apns, name);
        let app = Self {
            name: name.into(),
            config: Mutex::new(config.clone()),
            watched: Mutex::new(Watched::new(&source, &contents)),
            generations: ArcSwap::from_pointee(Generations {
                current: Arc::clone(&generation),
                previous: None,
            }),
            place,
            attempt_timeout: config.attempt_timeout,
            noted: AtomicI64::new(i64::MIN),
            last_success: AtomicI64::new(0),
        };
        app.note_end(&generation);
        Ok(app)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What it is known by.
    pub(super) fn credential(&self) -> Credential {
        let generations = self.generations.load();
        let last = self.last_success.load(Ordering::Relaxed);
        Credential {
            app: AppName { provider: Provider::Apns, name: Arc::clone(&self.name) },
            kind: generations.current.kind(),
            ends_at: generations.with_end().ends_at(),
            last_success: (last != 0).then(|| Timestamp::from_unix_millis(last)),
            is_changing: generations.previous.is_some(),
        }
    }

    /// One push. What Apple refuses for its credential is repeated by another one where there is one: the token
    /// before, a newer one, or the key before; each once, and under the same `apns-id`.
    pub(super) async fn send(
        &self,
        attempt: &Attempt<'_>,
        topic: &AppId,
        message: &ApnsMessage,
    ) -> Outcome {
        let deadline = Instant::now() + self.attempt_timeout;
        let mut tried: Vec<Choice> = Vec::new();
        let mut choice = self.choose();
        loop {
            if let Some(token) = &choice.token
                && self.is_news(token)
            {
                self.note_end(&choice.generation);
            }
            let patience = match choice.role {
                Role::Trial(_) => {
                    let now = Instant::now();
                    let left = deadline.saturating_duration_since(now);
                    Patience {
                        start_by: now + left / WAIT_OF_TRIAL,
                        answer_within: left / ANSWER_OF_TRIAL,
                    }
                }
                Role::Only | Role::Previous => {
                    Patience { start_by: deadline, answer_within: self.attempt_timeout }
                }
            };
            let answer = self.attempt(attempt, topic, message, &choice, patience).await;
            let may_do_better = self.learn(&choice, &answer);
            tried.push(choice);
            if !may_do_better || tried.len() == MOST_CHOICES {
                return answer.outcome;
            }
            choice = self.choose();
            if tried.iter().any(|before| before.is_same(&choice)) {
                return wait_for_token(answer.outcome, &choice);
            }
            self.place.tools().is_repeated(Provider::Apns, &answer.outcome);
        }
    }

    /// Whether the end of this token was not noted yet; now it is.
    fn is_news(&self, token: &Token) -> bool {
        let issued = token.issued.unix_seconds();
        self.noted.swap(issued, Ordering::Relaxed) != issued
    }

    fn choose(&self) -> Choice {
        self.generations.load().choose(self.place.tools().clock.running())
    }

    async fn attempt(
        &self,
        attempt: &Attempt<'_>,
        topic: &AppId,
        message: &ApnsMessage,
        choice: &Choice,
        patience: Patience,
    ) -> Answer {
        let path = format!("{}/3/device/{}", self.place.origin(), attempt.target.token.expose());
        let mut request = Request::post(path).body(()).expect("a hexadecimal token is a path");
        let headers = request.headers_mut();
        if let Some(token) = &choice.token {
            headers.insert(header::AUTHORIZATION, token.header.clone());
        }
        set_headers(headers, topic, message, attempt);
        let body = Body { own: bytes::Bytes::new(), shared: message.body() };
        let reply =
            match choice.generation.pool.send(attempt.owner, &request, &body, patience).await {
                Ok(reply) => reply,
                Err(error) => return Failure::Send(error).into(),
            };
        self.place.skew().observe(&reply.headers);
        let now = self.place.tools().clock.now();
        // "200: Success" has no body; whatever comes behind it, or does not, the push was taken.
        let outcome = if reply.status == StatusCode::OK {
            self.last_success.store(now.unix_millis(), Ordering::Relaxed);
            Outcome::Accepted
        } else {
            let outcome = self.refusal(&reply, now, attempt);
            if is_ending(&outcome) || self.is_astray(&outcome, choice) {
                choice.generation.pool.leave_connection_of(&reply);
            }
            outcome
        };
        self.place.tools().is_answered(Provider::Apns, &outcome);
        Answer { outcome, headers: reply.headers }
    }

    fn refusal(&self, reply: &Reply, now: Timestamp, attempt: &Attempt<'_>) -> Outcome {
        let status = reply.status.as_u16();
        let Ok(body) = serde_json::from_slice::<ErrorBody>(&reply.body) else {
            return Outcome::Delayed(Delay {
                retry_after: retry_after(reply, now),
                ..Why::Failed(Failure::Unexplained(status)).into()
            });
        };
        let reason = ApnsReason::from_apple(&body.reason);
        if reason == ApnsReason::Other {
            let (tools, token) = (self.place.tools(), &attempt.target.token);
            let of = (Provider::Apns, &*self.name);
            tools.unknown_words.tell(of, status, &body.reason, token, tools.clock.running());
        }
        let since = body.timestamp.map(Timestamp::from_unix_millis);
        match reason.meaning(status, since) {
            Outcome::Delayed(delay) => {
                Outcome::Delayed(Delay { retry_after: retry_after(reply, now), ..delay })
            }
            decided => decided,
        }
    }

    /// Whether this server of Apple's alone may be wrong: it calls a token expired that should live. Its connection is
    /// left now and then, so that the push goes to another server.
    fn is_astray(&self, outcome: &Outcome, choice: &Choice) -> bool {
        let Choice { generation, token: Some(token), .. } = choice else { return false };
        is_refused_as(outcome, ApnsReason::ExpiredProviderToken)
            && generation.tokens.as_ref().is_some_and(|tokens| tokens.should_live(token))
            && generation.left.opens(self.place.tools().clock.running(), LEAVE_INTERVAL)
    }

    /// Makes a new token if the last one has ended; none where none was needed yet.
    pub(super) fn renew_if_ended(&self) {
        let generations = self.generations.load();
        let generation = generations.with_end();
        let Some(tokens) = &generation.tokens else { return };
        if tokens.last().is_some_and(|last| !tokens.should_live(&last)) {
            tokens.current();
        }
        // One token may be that of several apps.
        if tokens.last().is_some_and(|last| {
            self.noted.load(Ordering::Relaxed) != i64::MIN && self.is_news(&last)
        }) {
            self.note_end(generation);
        }
    }

    /// Tells the metrics when this credential ends.
    pub(super) fn note_end(&self, generation: &Generation) {
        if let Some(end) = generation.ends_at() {
            expiry_is_known(&self.place.tools().metrics, generation.kind(), &self.name, end);
        }
    }
}

/// Where Apple calls our token expired and does not allow another one yet, the push waits for that one at the longest:
/// before, another server of Apple's may take it by the same token.
fn wait_for_token(outcome: Outcome, choice: &Choice) -> Outcome {
    let next_in = choice.generation.tokens.as_ref().and_then(|tokens| tokens.next_in());
    let is_expired = is_refused_as(&outcome, ApnsReason::ExpiredProviderToken);
    match outcome {
        Outcome::Delayed(delay) if is_expired => {
            Outcome::Delayed(Delay { at_latest: next_in, ..delay })
        }
        outcome => outcome,
    }
}
