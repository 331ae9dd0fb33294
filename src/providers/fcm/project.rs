//! One Firebase project: its credentials, its connections, and one push over them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request, StatusCode, header};
use serde::{Deserialize, de::IgnoredAny};
use tokio::time::Instant;

use super::{
    FcmMessage, FcmReason,
    quota::Quota,
    rejection,
    reload::{Account, Place, Source},
    succession::Succession,
};
use crate::{
    clock::Timestamp,
    config::FcmAppConfig,
    domain::device::Provider,
    metrics::CredentialKind,
    outbound::{Body, Origin, Patience, Pool, Reply},
    providers::{
        AppName, Attempt, Credential, Delay, Failure, Outcome, ProvidersError, RejectionReason,
        Tools, Why,
        clock_skew::ClockSkew,
        credential::{Contents, Watched},
        retry_after,
    },
};

/// Google's address.
const ENDPOINT: &str = "https://fcm.googleapis.com";

/// One Firebase project: its credentials, its connections, and one push over them.
pub(super) struct Project {
    pub(super) name: Arc<str>,
    pub(super) config: Mutex<FcmAppConfig>,
    pub(super) watched: Mutex<Watched<Source>>,
    pub(super) place: Place,
    /// Any access token of the project goes over any of them.
    pool: Pool,
    /// A newer one has no access token yet.
    pub(super) accounts: Succession<Account>,
    quota: Quota,
    attempt_timeout: Duration,
    /// In milliseconds since the Unix epoch; 0 for never.
    last_success: AtomicI64,
}

impl Project {
    pub(super) fn new(
        name: &str,
        config: &FcmAppConfig,
        tools: &Tools,
        skew: &Arc<ClockSkew>,
    ) -> Result<Self, ProvidersError> {
        let source = Source::of(config);
        let contents = Contents::read(&source.file)?;
        let origin = Origin::parse(config.endpoint.as_deref().unwrap_or(ENDPOINT))?;
        let place = Place::new(name, &origin, config, tools, skew)?;
        let account = Account::new(&source, &contents, &place)?;
        tools.metrics.app_is_configured(Provider::Fcm, name);
        Ok(Self {
            name: name.into(),
            config: Mutex::new(config.clone()),
            watched: Mutex::new(Watched::new(&source, &contents)),
            pool: place.pool(origin)?,
            place,
            accounts: Succession::new(account),
            quota: Quota::default(),
            attempt_timeout: config.attempt_timeout,
            last_success: AtomicI64::new(0),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What it is known by.
    pub(super) fn credential(&self) -> Credential {
        let last = self.last_success.load(Ordering::Relaxed);
        Credential {
            app: AppName { provider: Provider::Fcm, name: Arc::clone(&self.name) },
            kind: CredentialKind::FcmToken,
            ends_at: self.accounts.current().tokens.ends_at(),
            last_success: (last != 0).then(|| Timestamp::from_unix_millis(last)),
            is_changing: self.accounts.next().is_some(),
        }
    }

    /// Sends to one device. An access token that Google does not take is renewed, and the push
    /// repeated, once; and once more by a newer service account, if there is one. No request is begun after
    /// `start_by`.
    pub(super) async fn send(
        &self,
        attempt: &Attempt<'_>,
        message: &FcmMessage,
        start_by: Instant,
    ) -> Outcome {
        let deadline = start_by.min(Instant::now() + self.attempt_timeout);
        let body = message.body(&attempt.target.token);
        let account = self.accounts.current();
        let outcome = self.send_by(&account, attempt, &body, deadline).await;
        if is_for_want_of_a_token(&outcome)
            && let Some(newer) = self.newer_than(&account, deadline).await
        {
            self.place.tools.is_repeated(Provider::Fcm, &outcome);
            return self.send_by(&newer, attempt, &body, deadline).await;
        }
        outcome
    }

    async fn send_by(
        &self,
        account: &Account,
        attempt: &Attempt<'_>,
        body: &Body,
        deadline: Instant,
    ) -> Outcome {
        let authorization = match account.tokens.current(deadline).await {
            Ok(authorization) => authorization,
            Err(error) => return Failure::AccessToken(error.to_string()).into(),
        };
        let first = self.attempt(account, attempt, body, authorization.clone(), deadline).await;
        if is_for_want_of_a_token(&first)
            && let Ok(renewed) = account.tokens.renew(&authorization, deadline).await
        {
            self.place.tools.is_repeated(Provider::Fcm, &first);
            return self.attempt(account, attempt, body, renewed, deadline).await;
        }
        first
    }

    async fn attempt(
        &self,
        account: &Account,
        attempt: &Attempt<'_>,
        body: &Body,
        authorization: HeaderValue,
        deadline: Instant,
    ) -> Outcome {
        let mut request = Request::post(account.uri.clone())
            .body(())
            .expect("the address was checked when it was made");
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let patience = Patience { start_by: deadline, answer_within: self.attempt_timeout };
        let reply = match self.pool.send(attempt.owner, &request, body, patience).await {
            Ok(reply) => reply,
            Err(error) => return Failure::Send(error).into(),
        };
        self.place.skew.observe(&reply.headers);
        let now = self.place.tools.clock.now();
        let outcome = match reply.status {
            StatusCode::OK => {
                self.last_success.store(now.unix_millis(), Ordering::Relaxed);
                self.quota.is_left();
                accepted(&reply)
            }
            _ => self.refusal(&reply, now, attempt),
        };
        self.place.tools.is_answered(Provider::Fcm, &outcome);
        outcome
    }

    fn refusal(&self, reply: &Reply, now: Timestamp, attempt: &Attempt<'_>) -> Outcome {
        let status = reply.status.as_u16();
        let outcome = match rejection::read(&reply.body) {
            Some((refusal, word)) => {
                if refusal.reason == FcmReason::Other {
                    let (tools, token) = (&self.place.tools, &attempt.target.token);
                    let of = (Provider::Fcm, &*self.name);
                    tools.unknown_words.tell(of, status, &word, token, tools.clock.running());
                }
                refusal.meaning(status)
            }
            None => Failure::Unexplained(status).into(),
        };
        match outcome {
            Outcome::Delayed(delay) => {
                let is_of_all =
                    delay.is_for_quota() && self.quota.is_used_up(&attempt.target.token);
                Outcome::Delayed(Delay { retry_after: retry_after(reply, now), is_of_all, ..delay })
            }
            decided => decided,
        }
    }
}

/// Whether another access token may do better.
fn is_for_want_of_a_token(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Delayed(Delay {
            why: Why::Failed(Failure::AccessToken(_))
                | Why::Refused(RejectionReason::Fcm(FcmReason::Unauthenticated)),
            ..
        })
    )
}

/// "If successful, the response body contains an instance of Message", which has a name; not every 200 comes
/// from Google: <https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send>.
#[derive(Deserialize)]
struct Accepted {
    #[serde(rename = "name")]
    _name: IgnoredAny,
}

/// What a 200 means. Where the rest of it is missing its head counts: Google writes it when it has taken the
/// message, and as FCM knows no id by which it would show a repetition once, none is made of what was taken.
fn accepted(reply: &Reply) -> Outcome {
    if !reply.is_whole {
        return Outcome::Accepted;
    }
    match serde_json::from_slice::<Accepted>(&reply.body) {
        Ok(_) => Outcome::Accepted,
        Err(_) => Failure::Unexplained(reply.status.as_u16()).into(),
    }
}
