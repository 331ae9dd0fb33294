//! Firebase Cloud Messaging, HTTP v1.
//!
//! Requests: <https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send>,
//! answers: <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>.

mod access_token;
mod message;
mod rejection;
mod service_account;

use std::{path::Path, sync::Arc, time::Duration};

use access_token::AccessTokens;
use http::{HeaderValue, Request, StatusCode, Uri, header};
pub use message::{FcmMessage, FcmMessageError};
pub use rejection::FcmReason;
use serde::{Deserialize, de::IgnoredAny};
use service_account::ServiceAccount;
use tokio::time::Instant;

use super::{Failure, Outcome, ProvidersError, RejectionReason, trust};
use crate::{
    clock::Clock,
    config::FcmAppConfig,
    domain::device::{Provider, Target},
    metrics::Metrics,
    outbound::{Body, Origin, Pool, PoolSettings, Reply},
};

/// Google's address.
const ENDPOINT: &str = "https://fcm.googleapis.com";

/// One Firebase project.
pub(super) struct Fcm {
    name: String,
    uri: Uri,
    pool: Pool,
    tokens: AccessTokens,
    attempt_timeout: Duration,
}

impl Fcm {
    pub(super) fn new(
        name: &str,
        config: &FcmAppConfig,
        ca_file: Option<&Path>,
        clock: &Clock,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ProvidersError> {
        let account = ServiceAccount::read(&config.service_account_file)?;
        let project = config.project_id.as_deref().unwrap_or(account.project_id());
        let origin = Origin::parse(config.endpoint.as_deref().unwrap_or(ENDPOINT))?;
        let uri =
            format!("{origin}/v1/projects/{project}/messages:send").parse().map_err(|_| {
                ProvidersError::credential(
                    &config.service_account_file,
                    &format!("`{project}` is not the id of a project"),
                )
            })?;
        let trust = trust(config.ca_file.as_deref(), ca_file)?;
        let pool = |origin| {
            let connections = metrics.connections_of(Provider::Fcm);
            let tls = trust.http2_client(None)?;
            Ok::<_, ProvidersError>(Pool::new(origin, tls, PoolSettings::default(), connections))
        };
        let token_uri = config.token_uri.as_deref().unwrap_or(account.token_uri()).to_owned();
        let token_origin = access_token::origin(&token_uri)?;
        metrics.app_is_configured(Provider::Fcm, name);
        Ok(Self {
            name: name.to_owned(),
            uri,
            pool: pool(origin)?,
            tokens: AccessTokens::new(account, token_uri, pool(token_origin)?, clock),
            attempt_timeout: config.attempt_timeout,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends to one device. An access token that Google does not take is renewed, and the push
    /// repeated, once.
    pub(super) async fn send(&self, target: &Target, message: &FcmMessage) -> Outcome {
        if message.is_too_large() {
            return Outcome::Rejected(RejectionReason::Fcm(FcmReason::InvalidArgument));
        }
        let deadline = Instant::now() + self.attempt_timeout;
        let body = message.body(&target.token);
        let authorization = match self.tokens.current(deadline).await {
            Ok(authorization) => authorization,
            Err(error) => return Outcome::Failed(Failure::AccessToken(error.to_string())),
        };
        let outcome = self.attempt(&body, authorization.clone(), deadline).await;
        if let Outcome::Rejected(RejectionReason::Fcm(FcmReason::Unauthenticated)) = outcome
            && let Ok(renewed) = self.tokens.renew(&authorization, deadline).await
        {
            return self.attempt(&body, renewed, deadline).await;
        }
        outcome
    }

    async fn attempt(&self, body: &Body, authorization: HeaderValue, deadline: Instant) -> Outcome {
        let mut request = Request::post(self.uri.clone())
            .body(())
            .expect("the address was checked when it was made");
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.pool.send(&request, body, deadline).await {
            Ok(reply) if reply.status == StatusCode::OK => accepted(&reply),
            Ok(reply) => refusal(&reply),
            Err(error) => Outcome::Failed(Failure::Send(error)),
        }
    }
}

/// What a message that was taken is called; not every 200 comes from Google.
#[derive(Deserialize)]
struct Accepted {
    #[serde(rename = "name")]
    _name: IgnoredAny,
}

fn accepted(reply: &Reply) -> Outcome {
    match serde_json::from_slice::<Accepted>(&reply.body) {
        Ok(_) => Outcome::Accepted,
        Err(_) => Outcome::Failed(Failure::Unexplained(reply.status.as_u16())),
    }
}

fn refusal(reply: &Reply) -> Outcome {
    let Some(reason) = rejection::read(&reply.body) else {
        return Outcome::Failed(Failure::Unexplained(reply.status.as_u16()));
    };
    let word = RejectionReason::Fcm(reason);
    if reason == FcmReason::Unregistered {
        return Outcome::Unregistered { since: None, reason: word };
    }
    Outcome::Rejected(word)
}
