//! One app: its credentials, its connections, and one push over them.

use std::{path::Path, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::{ApnsMessage, ApnsReason, authentication_token::AuthenticationTokens};
use crate::{
    clock::{Clock, Timestamp},
    config::ApnsAppConfig,
    domain::device::{AppId, DeviceToken, Provider},
    metrics::Metrics,
    outbound::{Body, ClientIdentity, Origin, Pool, PoolSettings, Reply},
    providers::{Failure, Outcome, ProvidersError, RejectionReason, trust},
};

/// One app on Apple's phones, or several that share credentials.
pub(super) struct App {
    name: String,
    pool: Pool,
    /// Absent when a client certificate says who we are.
    tokens: Option<Arc<AuthenticationTokens>>,
    attempt_timeout: Duration,
    clock: Clock,
}

impl App {
    pub(super) fn new(
        name: &str,
        config: &ApnsAppConfig,
        tokens: Option<Arc<AuthenticationTokens>>,
        ca_file: Option<&Path>,
        clock: &Clock,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ProvidersError> {
        let identity = config.cert_file.as_deref().map(ClientIdentity::read).transpose()?;
        let tls = trust(config.ca_file.as_deref(), ca_file)?.http2_client(identity)?;
        let endpoint = config.endpoint.as_deref().unwrap_or_else(|| config.environment.endpoint());
        metrics.app_is_configured(Provider::Apns, name);
        Ok(Self {
            name: name.to_owned(),
            pool: Pool::new(
                Origin::parse(endpoint)?,
                tls,
                PoolSettings::default(),
                metrics.connections_of(Provider::Apns),
            ),
            tokens,
            attempt_timeout: config.attempt_timeout,
            clock: clock.clone(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// One push. When Apple does not take the authentication token for its age, it is repeated with another
    /// one, once and under the same `apns-id`.
    pub(super) async fn send(
        &self,
        token: &DeviceToken,
        topic: &AppId,
        message: &ApnsMessage,
        apns_id: Uuid,
    ) -> Outcome {
        let deadline = Instant::now() + self.attempt_timeout;
        let authorization = self.tokens.as_deref().map(AuthenticationTokens::current);
        let outcome =
            self.attempt(token, topic, message, apns_id, authorization.clone(), deadline).await;
        let (Some(tokens), Some(refused)) = (&self.tokens, &authorization) else { return outcome };
        let other = match outcome {
            Outcome::Rejected(RejectionReason::Apns(ApnsReason::ExpiredProviderToken)) => {
                tokens.newer_than(refused)
            }
            Outcome::Rejected(RejectionReason::Apns(ApnsReason::TooManyProviderTokenUpdates)) => {
                tokens.older_than(refused)
            }
            _ => None,
        };
        match other {
            Some(other) => {
                self.attempt(token, topic, message, apns_id, Some(other), deadline).await
            }
            None => outcome,
        }
    }

    async fn attempt(
        &self,
        token: &DeviceToken,
        topic: &AppId,
        message: &ApnsMessage,
        apns_id: Uuid,
        authorization: Option<HeaderValue>,
        deadline: Instant,
    ) -> Outcome {
        let path = format!("{}/3/device/{}", self.pool.origin(), token.expose());
        let mut request = Request::post(path).body(()).expect("a hexadecimal token is a path");
        let headers = request.headers_mut();
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        set_headers(headers, topic, message, apns_id, self.clock.now());
        let body = Body { own: bytes::Bytes::new(), shared: message.body() };
        match self.pool.send(&request, &body, deadline).await {
            Ok(reply) if reply.status == StatusCode::OK => Outcome::Accepted,
            Ok(reply) => refusal(&reply),
            Err(error) => Outcome::Failed(Failure::Send(error)),
        }
    }
}

fn set_headers(
    headers: &mut HeaderMap,
    topic: &AppId,
    message: &ApnsMessage,
    apns_id: Uuid,
    now: Timestamp,
) {
    let topic = HeaderValue::from_str(topic.as_str()).expect("a bundle id is ASCII");
    headers.insert("apns-topic", topic);
    headers.insert("apns-push-type", HeaderValue::from_static(message.push_type()));
    if let Some(priority) = message.priority() {
        headers.insert("apns-priority", HeaderValue::from_static(priority));
    }
    if let Some(expiration) = message.expiration(now) {
        headers.insert("apns-expiration", expiration.into());
    }
    let mut buffer = Uuid::encode_buffer();
    let apns_id = HeaderValue::from_str(apns_id.hyphenated().encode_lower(&mut buffer));
    headers.insert("apns-id", apns_id.expect("a UUID is ASCII"));
}

/// The body of an answer that is not 200.
#[derive(Deserialize)]
struct ErrorBody {
    reason: String,
    /// With status 410: when Apple last knew the token to be gone, in milliseconds.
    timestamp: Option<i64>,
}

fn refusal(reply: &Reply) -> Outcome {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(&reply.body) else {
        return Outcome::Failed(Failure::Unexplained(reply.status.as_u16()));
    };
    let known = ApnsReason::from_apple(&body.reason);
    let reason = RejectionReason::Apns(known);
    if known.means_unregistered() {
        let since = body.timestamp.map(Timestamp::from_unix_millis);
        return Outcome::Unregistered { since, reason };
    }
    Outcome::Rejected(reason)
}
